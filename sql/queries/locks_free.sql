-- Tells what a batch would wait for: which of its calls' rows are locked, and a stripe of the
-- counters that is not. Its own locks are gone when it ends.
--   $1 uuid[] ids  $2 the stripe in use  $3, $4 the first and the last that there are
-- A row for each id that has one: id, free (bool), stripe (int; NULL: all are locked).
WITH patience AS MATERIALIZED (
  SELECT set_config('lock_timeout', '100ms', true)
), free AS MATERIALIZED (
  SELECT c.id
    FROM patience, calls c
   WHERE c.id = ANY ($1::uuid[])
     FOR NO KEY UPDATE OF c SKIP LOCKED
), stripe AS MATERIALIZED (
  SELECT m.id
    FROM patience, metrics m
   WHERE m.id BETWEEN $3::integer AND $4::integer
   ORDER BY m.id <> $2::integer
   LIMIT 1
     FOR NO KEY UPDATE OF m SKIP LOCKED
)
SELECT c.id, c.id IN (SELECT id FROM free), (SELECT id FROM stripe)
  FROM calls c
 WHERE c.id = ANY ($1::uuid[])
