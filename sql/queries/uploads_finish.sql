-- Ends upload attempts: an attempt fails as long as the call's plan says so; with the last failure in a
-- round of $6 the upload has failed permanently.
--   $1 uuid[] ids, in their order  $2 int[] attempt that each job is  $3 now (ms since 1970)
--   $4 metrics stripe  $5 text[] the URL of each recording  $6 attempts in a round
--   $7 int8[] backoff in ms after the 1st, 2nd, … failure of a round
-- Returns every row as it now stands and whether this statement changed it, and locks, as
-- calls_advance.sql. The condition on the status is written so that it invites no plan by another index.
WITH patience AS MATERIALIZED (
  SELECT set_config('lock_timeout', '100ms', true)
), job AS (
  SELECT id, attempt, url, attempt % $6::integer = $6::integer - 1 AS is_last,
         ($7::bigint[])[attempt % $6::integer + 1] * interval '1 ms' AS backoff
    FROM patience, unnest($1::uuid[], $2::integer[], $5::text[]) AS t (id, attempt, url)
), moved AS (
  UPDATE calls c
     SET upload_status = CASE WHEN job.attempt >= c.upload_failures THEN 'COMPLETED'
                              WHEN job.is_last THEN 'FAILED'
                              ELSE 'PENDING' END,
         upload_attempts = c.upload_attempts + (job.attempt < c.upload_failures)::integer,
         upload_retry_at = CASE WHEN job.attempt < c.upload_failures AND NOT job.is_last
                                THEN greatest(c.updated_at, to_timestamp($3::bigint / 1000.0)) + job.backoff END,
         recording_url = CASE WHEN job.attempt >= c.upload_failures THEN job.url END,
         updated_at = CASE WHEN job.attempt < c.upload_failures AND NOT job.is_last THEN c.updated_at
                           ELSE greatest(c.updated_at, to_timestamp($3::bigint / 1000.0)) END,
         seq = c.seq + (job.attempt >= c.upload_failures OR job.is_last)::integer
    FROM job
   WHERE c.id = job.id AND CASE c.upload_status WHEN 'PENDING' THEN c.upload_attempts END = job.attempt
  RETURNING c.*
), others AS (
  SELECT c.*
    FROM job JOIN calls c USING (id)
   WHERE job.id NOT IN (SELECT id FROM moved)
   ORDER BY c.id
     FOR NO KEY UPDATE OF c
), tally AS (
  SELECT count(*) FILTER (WHERE upload_status = 'COMPLETED') AS completed,
         count(*) FILTER (WHERE upload_status = 'FAILED') AS failed
    FROM moved
), counted AS (
  UPDATE metrics
     SET uploads_in_progress = uploads_in_progress - tally.completed - tally.failed,
         uploads_completed = uploads_completed + tally.completed,
         uploads_failed = uploads_failed + tally.failed,
         updated_at = now()
    FROM tally
   WHERE metrics.id = $4::integer AND tally.completed + tally.failed > 0
)
SELECT -- include: calls/columns.def
       NULL::text, true
  FROM moved
UNION ALL
SELECT -- include: calls/columns.def
       NULL::text, false
  FROM others
