#!lua flags=allow-oom
-- include: clock.lua
-- How many calls of a shard were admitted in the last second.
--   KEYS  1 clock  2 recent
return redis.call('ZCOUNT', KEYS[2], string.format('(%.0f', clock(KEYS[1]) - 1000000), '+inf')
