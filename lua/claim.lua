#!lua flags=allow-oom
-- include: clock.lua
-- Claims jobs that are due: leases them to the caller, which puts them off.
--   KEYS  1 ready  2 clock  3 due
--   ARGV  1 run id  2 max jobs  3 lease in µs
-- Returns {1, epoch, wall clock, clock, the next job's due time (-1: none), job, …}; {0} when the
-- live state is not ready. Times are in µs.
local epoch, now, wall = live_state(KEYS[1], KEYS[2], ARGV[1])
if not epoch then
  return {0}
end
local jobs = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now), 'LIMIT', 0,
                        ARGV[2])
if #jobs > 0 then
  local lease = string.format('%.0f', now + ARGV[3])
  local add = {}
  for i = 1, #jobs do
    add[2 * i - 1] = lease
    add[2 * i] = jobs[i]
  end
  redis.call('ZADD', KEYS[3], unpack(add))
end
local next = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
return {1, epoch, wall, now, tonumber(next[2] or -1), unpack(jobs)}
