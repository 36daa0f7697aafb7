#!lua
-- include: clock.lua
-- Admits a call, or refuses it, in one step: both limits, the slot, the live call, the first job.
-- Where it fails half-way (a command that the user may not run) there is no call, because the live call
-- is written last; and the job, written first, leads to lua/drop.lua, which frees the slot.
--   KEYS  1 ready  2 clock  3 call  4 slots of the API key  5 window of the API key  6 due
--   ARGV  1 run id  2 call id  3 max concurrent  4 max in a second  5 job  6 µs until the job
--         7 µs until the call's expected end  8 the packed line behind its times, newline, metadata
--         9 the channel that wakes workers, or '' when they ask before the job is due
-- Returns {1, epoch, wall ms, the job's due time}: admitted; {2, ms, late}: too many at once; the call that has
-- to end first is expected to end in `ms`, and the first job is `late` ms late; {3, ms}: too many in a second,
-- until `ms` from now; {0}: the live state is not ready.
local epoch, now, wall = live_state(KEYS[1], KEYS[2], ARGV[1])
if not epoch then
  return {0}
end

-- The score of the call that has to leave a full set before there is a place; nil where there is a place.
-- Counted back from the last, it is the call at the place `max`.
local function first_to_leave(key, max)
  local place = '-' .. max -- a number would have to be printed
  return tonumber(redis.call('ZRANGE', key, place, place, 'WITHSCORES')[2])
end

local ends = first_to_leave(KEYS[4], ARGV[3])
if ends then
  local due = tonumber(redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')[2])
  return {2, math.ceil((ends - now) / 1000), math.max(0, math.ceil((now - (due or now)) / 1000))}
end

-- Sliding window: what is a second old or older has left it. A refused request is not in it.
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', string.format('%.0f', now - 1000000))
local admitted = first_to_leave(KEYS[5], ARGV[4])
if admitted then
  return {3, math.max(0, math.ceil((admitted + 1000000 - now) / 1000))}
end

local id, ms = ARGV[2], string.format('%.0f', math.floor(wall / 1000))
local due = string.format('%.0f', now + ARGV[6])
redis.call('ZADD', KEYS[6], due, ARGV[5])
redis.call('ZADD', KEYS[4], string.format('%.0f', now + ARGV[7]), id)
redis.call('ZADD', KEYS[5], string.format('%.0f', now), id)
redis.call('PEXPIRE', KEYS[5], 86400000) -- by the wall clock, which may jump: not a tight one
if ARGV[9] ~= '' then
  announce(KEYS[6], ARGV[5], due, ARGV[9])
end
redis.call('SET', KEYS[3], id .. ' 1 ' .. ms .. ' ' .. ms .. ' ' .. ARGV[8])
return {1, epoch, tonumber(ms), now + ARGV[6]}
