#!lua
-- include: clock.lua
-- Puts an open call's row into the live state: its live call, its job, its slot. A job or a slot that
-- is there already stays as it is, and so does the metadata; where there is none it stays in PostgreSQL.
--   KEYS  1 call  2 slots of the API key  3 due  4 clock
--   ARGV  1 call id  2 seq  3 packed line  4 job
--         5 wall ms at which the present stage began  6 its length in ms
--         7 ms from then to the call's expected end, or '' when it holds no slot
--         8 the channel of events  9 the channel that wakes workers
-- Returns 1 if it was newer than what was there.
local seq, value = packed_seq(KEYS[1])
if tonumber(ARGV[2]) < seq then
  return 0
end
local now, wall = clock(KEYS[4])
local passed = math.max(0, wall - ARGV[5] * 1000)
local length = ARGV[6] * 1000
redis.call('SET', KEYS[1], ARGV[3] .. packed_metadata(value))
local due = string.format('%.0f', now + length - math.min(length, passed))
if redis.call('ZADD', KEYS[3], 'NX', due, ARGV[4]) == 1 then
  announce(KEYS[3], ARGV[4], due, ARGV[9])
end
if ARGV[7] ~= '' then
  redis.call('ZADD', KEYS[2], 'NX',
             string.format('%.0f', now + math.max(0, ARGV[7] * 1000 - passed)), ARGV[1])
end
if tonumber(ARGV[2]) > seq then
  redis.call('PUBLISH', ARGV[8], ARGV[3])
  return 1
end
return 0
