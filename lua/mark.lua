#!lua
-- Marks the live state of a shard as ready, unless Redis lost something again during the rebuild.
--   KEYS  1 ready  2 rebuild token
--   ARGV  1 run id  2 epoch  3 token
-- Returns 1 if it is ready now.
if redis.call('GET', KEYS[2]) ~= ARGV[3] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2])
redis.call('DEL', KEYS[2])
return 1
