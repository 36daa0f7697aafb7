-- include: clock.lua
-- Replaces a job by another (or by itself) that is due later; nothing when the job is gone. Where the
-- other one waits already it keeps its time.
--   KEYS  1 due  2 clock
--   ARGV  1 job  2 new job  3 µs from now
-- Returns 1 if it was there.
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then
  return 0
end
local now = clock(KEYS[2])
redis.call('ZADD', KEYS[1], 'NX', string.format('%.0f', now + ARGV[3]), ARGV[2])
return 1
