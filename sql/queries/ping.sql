-- Whether the database answers and has been migrated.
-- One row: the epoch (bigint), whether it can hold all text that clients send (bool)
SELECT epoch, pg_char_to_encoding(getdatabaseencoding()) = pg_char_to_encoding('UTF8') FROM live_state
