-- Whether a call may have been created in the last $1 ms, by the database's own clock. Each insert stamps
-- a row of the metrics in its transaction, which began after the call's admission. (A worker's row, which
-- other jobs stamp as well, counts only if that worker ever inserted one.) A stamp of the future means that
-- the clock was set back: then it cannot be known.
SELECT coalesce(max(updated_at) > clock_timestamp() - $1::integer * interval '1 ms', false)
  FROM metrics
 WHERE total_calls > 0
