-- Removes some of the oldest calls that were finished long ago. The index finds what is old; what was
-- finished only lately in spite of that stays for its time.
--   $1 days of retention  $2 most rows
-- One row: how many were removed (int)
WITH old AS (
  SELECT id FROM calls
   WHERE created_at < now() - $1::integer * interval '1 day'
     AND updated_at < now() - $1::integer * interval '1 day'
     AND upload_status IN ('COMPLETED', 'FAILED')
     AND stage_ms[1] > 0 -- not what was taken over from the original: nobody said that it may go
   ORDER BY created_at
   LIMIT $2::integer
     FOR UPDATE SKIP LOCKED
), removed AS (
  DELETE FROM calls WHERE id IN (SELECT id FROM old) RETURNING id
)
SELECT count(*)::integer FROM removed
