-- Metrics table
-- Striped counters: each writer changes a row of its own, in the transaction of the fact that it counts. The
-- sum over the rows is exact; a single row means nothing.
-- The original's table has one row, without failed uploads. This migration counts it anew from the calls.
DO $$
BEGIN
  IF to_regclass('metrics') IS NULL OR EXISTS (
    SELECT FROM pg_attribute
     WHERE attrelid = to_regclass('metrics') AND attname = 'uploads_failed' AND NOT attisdropped
  ) THEN
    RETURN;
  END IF;
  DELETE FROM metrics;
  ALTER TABLE metrics
    ALTER total_calls SET DEFAULT 0, ALTER total_calls SET NOT NULL,
    ALTER active_calls SET DEFAULT 0, ALTER active_calls SET NOT NULL,
    ALTER completed_calls SET DEFAULT 0, ALTER completed_calls SET NOT NULL,
    ALTER uploads_completed SET DEFAULT 0, ALTER uploads_completed SET NOT NULL,
    ALTER uploads_in_progress SET DEFAULT 0, ALTER uploads_in_progress SET NOT NULL,
    ADD uploads_failed INTEGER NOT NULL DEFAULT 0,
    ALTER updated_at DROP DEFAULT, ALTER updated_at TYPE TIMESTAMPTZ, ALTER updated_at SET DEFAULT now(),
    ALTER updated_at SET NOT NULL,
    SET (fillfactor = 10);
  INSERT INTO metrics (id, total_calls, completed_calls, uploads_completed, uploads_failed)
  SELECT 1, count(*), count(*), count(*) FILTER (WHERE upload_status = 'COMPLETED'),
         count(*) FILTER (WHERE upload_status = 'FAILED')
    FROM calls;
END
$$;

CREATE TABLE IF NOT EXISTS metrics (
  id                  SERIAL PRIMARY KEY,
  total_calls         INTEGER     NOT NULL DEFAULT 0,
  active_calls        INTEGER     NOT NULL DEFAULT 0,
  completed_calls     INTEGER     NOT NULL DEFAULT 0,
  uploads_completed   INTEGER     NOT NULL DEFAULT 0,
  uploads_in_progress INTEGER     NOT NULL DEFAULT 0,
  uploads_failed      INTEGER     NOT NULL DEFAULT 0,
  updated_at          TIMESTAMPTZ NOT NULL DEFAULT now()
) WITH (fillfactor = 10);
