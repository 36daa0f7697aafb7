-- Rows of the original
-- Retention keeps what was taken over from the original (its script has no time: stage_ms[1] = 0), and those
-- rows are the oldest of all. So that it need not read past them each time, this tells when the last one was
-- created; NULL: there are none. What the original dated in the future is too young for retention anyway.
ALTER TABLE picture ADD COLUMN IF NOT EXISTS taken_over_to TIMESTAMPTZ(3);
UPDATE picture
   SET taken_over_to = (SELECT max(created_at) FROM calls WHERE stage_ms[1] = 0 AND created_at < now());
