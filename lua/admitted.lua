#!lua flags=allow-oom
-- include: clock.lua
-- How many calls were admitted in the last second, over the windows of some API keys of one shard.
--   KEYS  1 clock  2… windows
local now = clock(KEYS[1])
local sum = 0
for i = 2, #KEYS do
  sum = sum + redis.call('ZCOUNT', KEYS[i], string.format('(%.0f', now - 1000000), '+inf')
end
return sum
