#!lua flags=allow-oom
-- Takes an admission back whose call certainly was not stored, all of it. But not when a worker has claimed
-- its first job since: that worker may be storing the call at this moment.
--   KEYS  1 call  2 slots of the API key  3 window of the API key  4 due
--   ARGV  1 call id  2 job  3 the job's due time, as the admission set it
-- Returns 1 if it was taken back.
if tonumber(redis.call('ZSCORE', KEYS[4], ARGV[2]) or -1) ~= tonumber(ARGV[3]) then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[2])
return 1
