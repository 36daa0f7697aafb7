#!lua
-- Marks a shard's picture as whole, if the rebuild that made it was not overtaken by another loss.
--   KEYS  1 whole  2 rebuild token
--   ARGV  1 run id  2 epoch  3 token
-- Returns 1 if it is whole now.
if redis.call('GET', KEYS[2]) ~= ARGV[3] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2])
redis.call('DEL', KEYS[2])
return 1
