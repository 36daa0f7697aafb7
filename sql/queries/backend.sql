-- Which of the server's processes answers. One row: its id (int)
SELECT pg_backend_pid()
