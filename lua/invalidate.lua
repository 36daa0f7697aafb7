#!lua flags=allow-oom
-- Removes the marker that still names an epoch which the database has ended, so that a worker rebuilds the
-- live state.
--   KEYS  1 ready
--   ARGV  1 run id  2 epoch
-- Returns 1 if the marker was there.
if redis.call('GET', KEYS[1]) ~= ARGV[1] .. ' ' .. ARGV[2] then
  return 0
end
return redis.call('DEL', KEYS[1])
