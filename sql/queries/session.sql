-- Sets what our statements rely on, whatever the server, the database or the role has as a default. Not
-- default_transaction_read_only, by which operators stop writes, nor search_path and synchronous_commit,
-- by which they decide where the tables are and when a commit is safe.
--   $1 bool: until the end of this transaction, else of the session
-- One row: nothing that matters, and the schema (common/pg/schema.h)
SELECT count(set_config(name, value, $1::boolean)), (SELECT coalesce(max(version), 0) FROM migrations) AS schema
  FROM (VALUES
  -- The statements that move rows lock them, and know how to go on when a row has changed meanwhile.
  ('default_transaction_isolation', 'read committed'),
  -- The server cancels what we have stopped waiting for, so that nothing is written much later.
  ('statement_timeout', '3s'),
  ('lock_timeout', '2500ms'),
  ('idle_in_transaction_session_timeout', '10s'),
  -- All rows are found by index, and a plan is made once, perhaps while a table is still empty: no plan
  -- may read a whole table.
  ('enable_seqscan', 'off'),
  ('enable_hashjoin', 'off'),
  ('enable_mergejoin', 'off'),
  ('enable_nestloop', 'on'),
  ('enable_indexscan', 'on'),
  ('enable_bitmapscan', 'on'),
  ('jit', 'off'),
  -- Days of retention are as long everywhere.
  ('TimeZone', 'UTC'),
  -- A host that vanished must not keep the lock of a rebuild for hours.
  ('tcp_keepalives_idle', '10'),
  ('tcp_keepalives_interval', '5'),
  ('tcp_keepalives_count', '3')
) AS settings (name, value)
