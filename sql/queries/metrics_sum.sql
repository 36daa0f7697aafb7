-- The counters, and how many calls were created in the last second: one row of seven bigints.
--   $1 now (ms since 1970, by the clock that created_at goes by)
-- The upper bound is for a clock that was set back: then an hour of calls may lie in the future.
SELECT coalesce(sum(total_calls), 0)::bigint, coalesce(sum(active_calls), 0)::bigint,
       coalesce(sum(completed_calls), 0)::bigint, coalesce(sum(uploads_in_progress), 0)::bigint,
       coalesce(sum(uploads_completed), 0)::bigint, coalesce(sum(uploads_failed), 0)::bigint,
       (SELECT count(*) FROM calls
         WHERE created_at > to_timestamp($1::bigint / 1000.0) - interval '1 second'
           AND created_at <= to_timestamp($1::bigint / 1000.0) + interval '1 second')
  FROM metrics
