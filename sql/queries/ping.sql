-- Whether the database answers and has been migrated.
-- One row: the epoch (bigint), whether it can hold all text that clients send (bool), the schema
SELECT epoch, pg_char_to_encoding(getdatabaseencoding()) = pg_char_to_encoding('UTF8'),
       (SELECT coalesce(max(version), 0) FROM migrations) AS schema
  FROM live_state
