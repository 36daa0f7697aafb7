-- include: clock.lua
-- Admits a call, or refuses it, in one step: both limits, the slot, the live record, the first job.
--   KEYS  1 whole  2 clock  3 call  4 slots of the API key  5 window of the API key  6 due
--   ARGV  1 run id  2 call id  3 most concurrent  4 most in a second  5 job  6 µs until the job
--         7 µs until the call's expected end  8 the packed line behind its times, newline, metadata
-- Returns {1, epoch, wall ms, the job's due time} admitted; {2, ms} too many at once, {3, ms} too many in a second
-- (ms: when a place is expected to be free); {0} when the picture is not whole.
local ok, epoch = whole(KEYS[1], ARGV[1])
if not ok then
  return {0}
end
local now, wall = clock(KEYS[2])

if redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[3]) then
  local first = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
  return {2, math.max(0, math.ceil((tonumber(first[2]) - now) / 1000))}
end

-- Sliding window: what is a second old or older has left it. A refused request is not in it.
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', string.format('%.0f', now - 1000000))
local window = redis.call('ZCARD', KEYS[5])
if window >= tonumber(ARGV[4]) then
  -- the place that becomes free is that of the call which, counted back from the newest, is the last
  local freed = redis.call('ZRANGE', KEYS[5], window - tonumber(ARGV[4]),
                           window - tonumber(ARGV[4]), 'WITHSCORES')
  return {3, math.max(0, math.ceil((tonumber(freed[2]) + 1000000 - now) / 1000))}
end

local id, ms = ARGV[2], string.format('%.0f', math.floor(wall / 1000))
redis.call('ZADD', KEYS[5], string.format('%.0f', now), id)
redis.call('PEXPIRE', KEYS[5], 86400000) -- by the wall clock, which may jump: not a tight one
redis.call('ZADD', KEYS[4], string.format('%.0f', now + ARGV[7]), id)
redis.call('SET', KEYS[3], id .. ' 1 ' .. ms .. ' ' .. ms .. ' ' .. ARGV[8])
redis.call('ZADD', KEYS[6], string.format('%.0f', now + ARGV[6]), ARGV[5])
return {1, epoch, tonumber(ms), now + ARGV[6]}
