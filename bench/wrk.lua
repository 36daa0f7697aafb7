-- What wrk sends, and what it says at the end: one line of JSON.
--   wrk … -s bench/wrk.lua URL -- get KEY [FILE]    GET URL, or each line of FILE behind URL in turn
--                                 post KEY[,KEY…]   POST URL with a call's body, with each in turn
-- KEY: the API key, - for none.
local requests, at = {}, 0

local function set_key(key)
  wrk.headers['Authorization'] = key ~= '-' and 'Bearer ' .. key or nil
end

function init(args)
  if args[1] == 'post' then
    wrk.method = 'POST'
    wrk.headers['Content-Type'] = 'application/json'
    wrk.body = '{"from": "+1234567890", "to": "+0987654321", "metadata": {"test": true}}'
  end
  for key in string.gmatch(args[2], '[^,]+') do
    set_key(key)
    if args[3] then
      for line in io.lines(args[3]) do
        requests[#requests + 1] = wrk.format('GET', wrk.path .. line)
      end
    else
      requests[#requests + 1] = wrk.format()
    end
  end
  function request()
    at = at % #requests + 1
    return requests[at]
  end
end

function done(summary, latency)
  local e = summary.errors
  print(string.format('{"rate":%.1f,"refused":%d,"broken":%d,"p50_us":%d,"p99_us":%d,"requests":%d}',
    summary.requests / summary.duration * 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99), summary.requests))
end
