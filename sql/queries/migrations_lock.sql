-- Takes the session's lock that lets one process at a time migrate; waits for it.
SELECT pg_advisory_lock(hashtext('mcs migrate'))
