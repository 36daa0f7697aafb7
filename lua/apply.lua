#!lua flags=allow-oom
-- include: clock.lua
-- Applies a committed transition to Redis and removes its job from the queue.
-- A newer state that is already here stays. Safe to repeat.
--   KEYS  1 call  2 slots of the API key  3 due
--   ARGV  1 job that was done  2 call id  3 seq  4 packed line  5 next job, or ''  6 its due time
--         7 when the call's slot is expected to be free, or '' when it is  8 ms that a final call is kept, or ''
--         9 the channel of events
-- Returns 1 if it was newer than what was there.
redis.call('ZREM', KEYS[3], ARGV[1])
if ARGV[7] == '' then
  redis.call('ZREM', KEYS[2], ARGV[2])
end
local seq, value = packed_seq(KEYS[1])
if tonumber(ARGV[3]) <= seq then
  return 0
end
if ARGV[7] ~= '' then
  redis.call('ZADD', KEYS[2], 'XX', ARGV[7], ARGV[2])
end
if value then
  local metadata = packed_metadata(value)
  if ARGV[8] ~= '' then
    redis.call('SET', KEYS[1], ARGV[4] .. metadata, 'PX', ARGV[8])
  else
    redis.call('SET', KEYS[1], ARGV[4] .. metadata)
  end
end
redis.call('PUBLISH', ARGV[9], ARGV[4])
if ARGV[5] ~= '' then
  redis.call('ZADD', KEYS[3], ARGV[6], ARGV[5])
end
return 1
