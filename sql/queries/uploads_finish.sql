-- Ends upload attempts: by the call's script an attempt fails or succeeds; the last failure in a
-- round of $5 gives the upload up.
--   $1 uuid[] ids  $2 int[] attempt that each job is  $3 now (ms since 1970)  $4 metrics stripe
--   $5 attempts in a round  $6 int8[] backoff in ms after the 1st, 2nd, … failure of a round
--   $7 start of the recording's URL; the id and '.mp3' follow
-- Returns every row as it now stands and whether this statement changed it, as calls_advance.sql.
WITH job AS (
  SELECT * FROM unnest($1::uuid[], $2::integer[]) AS t (id, attempt)
), locked AS (
  SELECT c.*, job.attempt
    FROM calls c JOIN job USING (id)
   ORDER BY c.id
     FOR UPDATE OF c
), verdict AS (
  SELECT id,
         CASE WHEN upload_attempts >= upload_failures THEN 'COMPLETED'
              WHEN (upload_attempts + 1) % $5::integer = 0 THEN 'FAILED'
              ELSE 'PENDING' END AS status,
         greatest(updated_at, to_timestamp($3::bigint / 1000.0)) AS now,
         ($6::bigint[])[upload_attempts % $5::integer + 1] AS backoff_ms
    FROM locked
   WHERE upload_status = 'PENDING' AND upload_attempts = attempt
), moved AS (
  UPDATE calls c
     SET upload_status = v.status,
         upload_attempts = c.upload_attempts + (v.status <> 'COMPLETED')::integer,
         upload_retry_at = CASE WHEN v.status = 'PENDING'
                                THEN v.now + v.backoff_ms * interval '1 ms' END,
         recording_url = CASE WHEN v.status = 'COMPLETED' THEN $7 || c.id || '.mp3' END,
         updated_at = CASE WHEN v.status = 'PENDING' THEN c.updated_at ELSE v.now END,
         seq = c.seq + (v.status <> 'PENDING')::integer
    FROM verdict v
   WHERE c.id = v.id
  RETURNING c.*
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
