#!lua flags=allow-oom
-- Replaces a job by another (or by itself) that is due later; nothing when the job is gone. Where the
-- other one waits already it keeps its time.
--   KEYS  1 due
--   ARGV  1 job  2 new job  3 its due time
-- Returns 1 if it was there.
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('ZADD', KEYS[1], 'NX', ARGV[3], ARGV[2])
return 1
