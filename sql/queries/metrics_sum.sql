-- The counters: one row of six bigints.
SELECT coalesce(sum(total_calls), 0)::bigint, coalesce(sum(active_calls), 0)::bigint,
       coalesce(sum(completed_calls), 0)::bigint, coalesce(sum(uploads_in_progress), 0)::bigint,
       coalesce(sum(uploads_completed), 0)::bigint, coalesce(sum(uploads_failed), 0)::bigint
  FROM metrics
