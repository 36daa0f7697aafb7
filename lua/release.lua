-- Takes an admission back whose call certainly was not stored: by its owner's id, all of it.
--   KEYS  1 call  2 slots of the API key  3 window of the API key  4 due
--   ARGV  1 call id  2 job
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[2])
return 1
