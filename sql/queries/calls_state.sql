-- How the calls with these ids stand, in no order; columns as calls_find.sql (metadata is left out: it
-- may take long to write out).
--   $1 uuid[]  ids
SELECT id, seq, outcome, duration_ms, upload_failures, entered_at, updated_at, upload_status,
       upload_attempts, upload_job, upload_retry_at, from_number, to_number, api_key,
       recording_url, NULL::text
  FROM calls
 WHERE id = ANY ($1::uuid[])
