-- Moves calls on by one state, where they still are in the state that the job was made for.
--   $1 uuid[] ids  $2 int[] seq that each is to leave  $3 now (ms since 1970)  $4 metrics stripe
--   $5 text[], $6 int[], $7 text[]: the lifecycle as (outcome, seq, status) rows
--   $8 the seq of the last state
-- Returns, for every id that has a row, the row as it now stands (see calls_find.sql; metadata is
-- left out) and whether this statement moved it. Rows are locked in the order of their ids and the
-- metrics stripe last, so two workers never wait for each other in a circle. `locked` has the rows
-- as they are once locked; conditions on `c` itself would only invite a plan by another index.
WITH job AS (
  SELECT * FROM unnest($1::uuid[], $2::integer[]) AS t (id, seq)
), step AS (
  SELECT * FROM unnest($5::text[], $6::integer[], $7::text[]) AS t (outcome, seq, status)
), locked AS (
  SELECT c.*, job.seq AS job_seq
    FROM calls c JOIN job USING (id)
   ORDER BY c.id
     FOR UPDATE OF c
), moved AS (
  UPDATE calls c
     SET seq = c.seq + 1,
         status = step.status,
         updated_at = greatest(c.updated_at, to_timestamp($3::bigint / 1000.0)),
         entered_at = c.entered_at || greatest(c.updated_at, to_timestamp($3::bigint / 1000.0)),
         upload_status = CASE WHEN step.seq = $8::integer THEN 'PENDING' ELSE 'WAITING' END,
         upload_job = CASE WHEN step.seq = $8::integer THEN nextval('upload_jobs') END
    FROM locked JOIN step ON step.outcome = locked.outcome AND step.seq = locked.seq + 1
   WHERE c.id = locked.id AND locked.seq = locked.job_seq AND locked.upload_status = 'WAITING'
  RETURNING c.*
), ended AS (
  SELECT count(*) AS n FROM moved WHERE upload_status = 'PENDING'
), counted AS (
  UPDATE metrics
     SET active_calls = active_calls - ended.n, completed_calls = completed_calls + ended.n,
         uploads_in_progress = uploads_in_progress + ended.n, updated_at = now()
    FROM ended
   WHERE metrics.id = $4::integer AND ended.n > 0
)
SELECT id, seq, outcome, stage_ms, upload_failures, entered_at, updated_at, upload_status,
       upload_attempts, upload_job, upload_retry_at, from_number, to_number, api_key,
       recording_url, NULL::text, true
  FROM moved
UNION ALL
SELECT id, seq, outcome, stage_ms, upload_failures, entered_at, updated_at, upload_status,
       upload_attempts, upload_job, upload_retry_at, from_number, to_number, api_key,
       recording_url, NULL::text, false
  FROM locked
 WHERE id NOT IN (SELECT id FROM moved)
