-- A page of the uploads that failed permanently, in the order of ids; columns as calls_find.sql (metadata is left out).
--   $1 id after which the page starts  $2 max rows
SELECT id, seq, outcome, duration_ms, upload_failures, entered_at, updated_at, upload_status,
       upload_attempts, upload_job, upload_retry_at, from_number, to_number, api_key,
       recording_url, NULL::text
  FROM calls
 WHERE upload_status = 'FAILED' AND id > $1::uuid
 ORDER BY id
 LIMIT $2::bigint
