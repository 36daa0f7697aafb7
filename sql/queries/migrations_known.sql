-- Whether there is a table of the migrations that were applied. One row: known (bool)
SELECT to_regclass('migrations') IS NOT NULL
