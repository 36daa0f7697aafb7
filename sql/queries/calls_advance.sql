-- Moves calls on by one state, where they still are in the state that the job was made for.
--   $1 uuid[] ids, in their order  $2 int[] seq that each is to leave  $3 now (ms since 1970)
--   $4 metrics stripe  $5 text[] outcomes  $6 text[][] the statuses of each, from the first state to the last
--   $7 the seq of the last state
-- Returns, for every id that has a row, the row as it now stands (without metadata) and
-- whether this statement moved it.
-- Rows that do not move are read behind a lock, as another worker may have moved them since this statement
-- began. The metrics stripe comes last. Where any of these locks is not to be had within 100 ms nothing
-- happens (55P03), and the caller leaves out what locks_free.sql does not name. So no deadlock lasts longer.
WITH patience AS MATERIALIZED (
  SELECT set_config('lock_timeout', '100ms', true)
), job AS (
  SELECT t.* FROM patience, unnest($1::uuid[], $2::integer[]) AS t (id, seq)
), moved AS (
  UPDATE calls c
     SET seq = c.seq + 1,
         status = ($6::text[])[array_position($5::text[], c.outcome::text)][c.seq + 1],
         updated_at = greatest(c.updated_at, to_timestamp($3::bigint / 1000.0)),
         entered_at = c.entered_at || greatest(c.updated_at, to_timestamp($3::bigint / 1000.0)),
         upload_status = CASE WHEN c.seq + 1 = $7::integer THEN 'PENDING' ELSE 'WAITING' END,
         upload_job = CASE WHEN c.seq + 1 = $7::integer THEN nextval('upload_jobs') END
    FROM job
   WHERE c.id = job.id AND c.seq = job.seq AND job.seq < $7::integer AND c.outcome = ANY ($5::text[])
  RETURNING c.*
), others AS (
  SELECT c.*
    FROM job JOIN calls c USING (id)
   WHERE job.id NOT IN (SELECT id FROM moved)
   ORDER BY c.id
     FOR NO KEY UPDATE OF c
), ended AS (
  SELECT count(*) AS n FROM moved WHERE upload_status = 'PENDING'
), counted AS (
  UPDATE metrics
     SET active_calls = active_calls - ended.n, completed_calls = completed_calls + ended.n,
         uploads_in_progress = uploads_in_progress + ended.n, updated_at = now()
    FROM ended
   WHERE metrics.id = $4::integer AND ended.n > 0
)
SELECT -- include: calls/columns.def
       NULL::text, true
  FROM moved
UNION ALL
SELECT -- include: calls/columns.def
       NULL::text, false
  FROM others
