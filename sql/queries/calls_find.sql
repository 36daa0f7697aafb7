-- The calls with these ids, in no order.
--   $1 uuid[]  ids
-- These columns, in this order, are what record_read() takes.
SELECT id, seq, outcome, duration_ms, upload_failures, entered_at, updated_at, upload_status,
       upload_attempts, upload_job, upload_retry_at, from_number, to_number, api_key,
       recording_url, metadata::text
  FROM calls
 WHERE id = ANY ($1::uuid[])
