#!lua
-- include: clock.lua
-- Puts an open call of the record into the picture: its live record, its job, its slot. A job or a
-- slot that is there already stays as it is.
--   KEYS  1 call  2 slots of the API key  3 due  4 clock
--   ARGV  1 call id  2 seq  3 packed line  4 metadata  5 job
--         6 wall ms at which the present stage began  7 its length in ms
--         8 ms from then to the call's expected end, or '' when it holds no slot
--         9 the channel of events
-- Returns 1 if it was news.
local seq = packed_seq(KEYS[1])
if tonumber(ARGV[2]) < seq then
  return 0
end
local now, wall = clock(KEYS[4])
local passed = math.max(0, wall - ARGV[6] * 1000)
local length = ARGV[7] * 1000
redis.call('SET', KEYS[1], ARGV[3] .. '\n' .. ARGV[4])
redis.call('ZADD', KEYS[3], 'NX',
           string.format('%.0f', now + length - math.min(length, passed)), ARGV[5])
if ARGV[8] ~= '' then
  redis.call('ZADD', KEYS[2], 'NX',
             string.format('%.0f', now + math.max(0, ARGV[8] * 1000 - passed)), ARGV[1])
end
if tonumber(ARGV[2]) > seq then
  redis.call('PUBLISH', ARGV[9], ARGV[3])
  return 1
end
return 0
