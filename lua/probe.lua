#!lua
-- Whether calls can be admitted and played: does on a key of its own what the other scripts do. It
-- fails where they would (no memory, no right, no disk), and leaves nothing.
--   KEYS  1 a key that nothing else uses
--   ARGV  1 a channel without subscribers
local key = KEYS[1]
redis.call('TIME')
redis.call('SET', key, '', 'PX', 1000)
redis.call('MGET', key, key)
redis.call('GET', key)
redis.call('DEL', key)
redis.call('ZADD', key, 'NX', 1, 'x')
redis.call('PEXPIRE', key, 1000)
redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
redis.call('ZRANGEBYSCORE', key, 0, 0)
redis.call('ZSCORE', key, 'x')
redis.call('ZCOUNT', key, 0, 0)
redis.call('ZREMRANGEBYSCORE', key, 0, 0)
redis.call('ZREM', key, 'x')
redis.call('PUBLISH', ARGV[1], '')
return 1
