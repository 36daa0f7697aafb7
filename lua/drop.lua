#!lua flags=allow-oom
-- Removes a job and what its call holds, when the call has no row and never will.
--   KEYS  1 call  2 slots of the API key, or the call's key again when that is not known  3 due
--   ARGV  1 call id  2 job
redis.call('ZREM', KEYS[3], ARGV[2])
if KEYS[2] ~= KEYS[1] then
  redis.call('ZREM', KEYS[2], ARGV[1])
end
redis.call('DEL', KEYS[1])
return 1
