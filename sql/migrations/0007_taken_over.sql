-- Rows of the original
-- Retention keeps the rows of the original service (their first duration is 0), which are the oldest of all. This
-- column is the time of the last one, so that retention need not read past them each time; NULL: there are none.
-- Rows that the original dated in the future are too young for retention anyway.
ALTER TABLE picture ADD COLUMN IF NOT EXISTS taken_over_to TIMESTAMPTZ(3);
UPDATE picture
   SET taken_over_to = (SELECT max(created_at) FROM calls WHERE stage_ms[1] = 0 AND created_at < now());
