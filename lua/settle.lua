-- include: clock.lua
-- Brings Redis to where the record stands, after a job was done; the job is off the queue.
-- What is already newer here stays. Safe to repeat.
--   KEYS  1 call  2 slots of the API key  3 due  4 clock
--   ARGV  1 job that was done  2 call id  3 seq  4 packed line  5 next job, or ''
--         6 wall ms at which the present stage began  7 its length in ms
--         8 '1' when the call's slot is to be freed  9 ms that the live record is kept, or ''
--         10 the channel of events, or '' to publish nothing
--         11 the skew when the job was claimed: by that the stage's beginning is known, whatever the wall
--            clock was set to since
-- Returns 1 if it was news.
redis.call('ZREM', KEYS[3], ARGV[1])
if ARGV[8] == '1' then
  redis.call('ZREM', KEYS[2], ARGV[2])
end
local seq, value = packed_seq(KEYS[1])
if tonumber(ARGV[3]) <= seq then
  return 0
end
if value then
  -- the metadata never changes: it stays as it was written at the admission
  local metadata = string.sub(value, (string.find(value, '\n', 1, true)))
  if ARGV[9] ~= '' then
    redis.call('SET', KEYS[1], ARGV[4] .. metadata, 'PX', ARGV[9])
  else
    redis.call('SET', KEYS[1], ARGV[4] .. metadata)
  end
end
if ARGV[10] ~= '' then
  redis.call('PUBLISH', ARGV[10], ARGV[4])
end
if ARGV[5] ~= '' then
  local now = clock(KEYS[4])
  local length = ARGV[7] * 1000
  local passed = math.max(0, math.min(length, now + ARGV[11] - ARGV[6] * 1000))
  redis.call('ZADD', KEYS[3], string.format('%.0f', now + length - passed), ARGV[5])
end
return 1
