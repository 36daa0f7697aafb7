-- Removes some of the oldest calls that were finished long ago. The index finds what is old; what was
-- finished only lately in spite of that stays for its time. What was taken over from the original stays:
-- nobody said that it may go. The index leaves that out as well (sql/migrations/0007_taken_over.sql).
--   $1 days of retention  $2 max rows
-- One row: how many were removed (int)
WITH old AS (
  SELECT id FROM calls
   WHERE created_at < now() - $1::integer * interval '1 day'
     AND created_at > (SELECT coalesce(taken_over_to, '-infinity') FROM live_state)
     AND updated_at < now() - $1::integer * interval '1 day'
     AND upload_status IN ('COMPLETED', 'FAILED')
     AND duration_ms[1] > 0
   ORDER BY created_at
   LIMIT $2::integer
     FOR UPDATE SKIP LOCKED
), removed AS (
  DELETE FROM calls WHERE id IN (SELECT id FROM old) RETURNING id
)
SELECT count(*)::integer FROM removed
