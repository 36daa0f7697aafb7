-- The one clock by which calls wait: Redis's, made steady. Returns (now, wall) in microseconds.
--   key   string "WALL LOGICAL", both as of the last time it was written
--   last  its value
-- `wall` is Redis's TIME, the only clock that a script can ask. `now` goes forward with it. When it is
-- set by more than STEP (or was not read for longer) `now` stands still for that moment; when it is
-- set back by less, until it is again where it was. So a clock that jumps neither freezes calls nor fires
-- them all at once. Workers ask twice a second at least, so a real gap that long means that no worker
-- ran.
-- A step forward of up to STEP cannot be told from time that passed, and counts as such: states are
-- shorter by it, and each such step of a second or more opens the limits' window of a second once. In all
-- `now` gains no more than the wall clock was set forward, however often it goes to and fro.
local function advance(key, last)
  local STEP, WRITE_EVERY = 2000000, 500000
  local t = redis.call('TIME')
  local wall = t[1] * 1000000 + t[2]
  if not last then
    redis.call('SET', key, string.format('%.0f %.0f', wall, wall))
    return wall, wall
  end
  local last_wall, now = string.match(last, '^(%d+) (%d+)$')
  last_wall, now = tonumber(last_wall), tonumber(now)
  local passed = wall - last_wall
  if passed < 0 and passed >= -STEP then
    return now, wall
  elseif passed < 0 or passed > STEP then
    passed = 0
  end
  now = now + passed
  if passed ~= wall - last_wall or passed >= WRITE_EVERY then
    redis.call('SET', key, string.format('%.0f %.0f', wall, now))
  end
  return now, wall
end

local function clock(key)
  return advance(key, redis.call('GET', key))
end

-- (epoch, now, wall) when the live state in this Redis is ready, that is when the marker names its run id.
local function live_state(marker_key, clock_key, run_id)
  local read = redis.call('MGET', marker_key, clock_key)
  local marked, epoch = string.match(read[1] or '', '^(%S+) (%d+)$')
  if marked == run_id then
    return tonumber(epoch), advance(clock_key, read[2])
  end
end

-- Tells sleeping workers of a job that was put into `due`, if it is the first there: they know when
-- the one behind it is due, and sleep until then.
local function announce(due_key, job, at, channel)
  if redis.call('ZRANGE', due_key, 0, 0)[1] == job then
    redis.call('PUBLISH', channel, at)
  end
end

-- The seq of the packed line under `key`, 0 when there is none; and the value itself.
local function packed_seq(key)
  local value = redis.call('GET', key)
  return value and tonumber(string.match(value, '^%S+ (%d+)')) or 0, value
end

-- What follows the packed line of a live call (nil: there is none): a newline and the metadata,
-- or the newline alone when the metadata is only in PostgreSQL. It never changes.
local function packed_metadata(value)
  return value and string.sub(value, (string.find(value, '\n', 1, true))) or '\n'
end
