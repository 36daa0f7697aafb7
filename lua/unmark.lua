#!lua flags=allow-oom
-- The record says that an epoch is over: takes back the marker that still names it, so that the
-- picture is rebuilt.
--   KEYS  1 whole
--   ARGV  1 run id  2 epoch
-- Returns 1 if it was there.
if redis.call('GET', KEYS[1]) ~= ARGV[1] .. ' ' .. ARGV[2] then
  return 0
end
return redis.call('DEL', KEYS[1])
