-- Opens uploads again that failed permanently. The failure was an event that was sent, so its time stays: the
-- result of the retry is the next event.
--   $1 uuid[] ids  $2 metrics stripe
-- Returns the rows as they now stand, without metadata.
WITH locked AS (
  SELECT id FROM calls
   WHERE id = ANY ($1::uuid[]) AND upload_status = 'FAILED'
     -- what the original took for a number may have blanks in it, which a live call cannot hold
     AND from_number ~ '^[+]?[0-9]{1,15}$' AND to_number ~ '^[+]?[0-9]{1,15}$'
   ORDER BY id
     FOR UPDATE
), moved AS (
  UPDATE calls c
     SET upload_status = 'PENDING', upload_retry_at = NULL,
         entered_at[c.seq] = c.updated_at
    FROM locked
   WHERE c.id = locked.id
  RETURNING c.*
), tally AS (
  SELECT count(*) AS n FROM moved
), counted AS (
  UPDATE metrics
     SET uploads_failed = uploads_failed - tally.n,
         uploads_in_progress = uploads_in_progress + tally.n, updated_at = now()
    FROM tally
   WHERE metrics.id = $2::integer AND tally.n > 0
)
SELECT -- include: calls/columns.def
       NULL::text
  FROM moved
