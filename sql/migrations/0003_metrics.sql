-- Metrics table
-- Striped counters: each writer moves a row of its own, in the transaction of the fact it counts;
-- the sum over the rows is exact, a single row says nothing.
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
