-- A page of what is open (a call or its upload), in the order of ids; columns as calls_find.sql.
--   $1 id after which the page starts  $2 most rows
--   $3 only those that should have moved on so many ms ago; NULL: all
SELECT id, seq, outcome, stage_ms, upload_failures, entered_at, updated_at, upload_status,
       upload_attempts, upload_job, upload_retry_at, from_number, to_number, api_key,
       recording_url, metadata::text
  FROM calls
 WHERE upload_status IN ('WAITING', 'PENDING') AND id > $1::uuid
   AND ($3::bigint IS NULL
        OR greatest(updated_at, upload_retry_at) + stage_ms[least(seq, 4)] * interval '1 ms'
           < now() - $3::bigint * interval '1 ms')
 ORDER BY id
 LIMIT $2::bigint
