-- wrk -s wrk.lua URL -- BODY_FILE FIRST MARK PAUSE [NAME VALUE]...
-- Posts the file's text; where MARK stands in it, each request has the next number from FIRST on.
-- A connection is silent for PAUSE milliseconds between its requests.

local head, tail, number

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local body = file:read("*a")
  file:close()
  number = tonumber(args[2])
  local headers = {["content-type"] = "application/json"}
  local pause = tonumber(args[4])
  -- wrk asks whether there is such a function.
  if pause > 0 then delay = function() return pause end end
  for i = 5, #args, 2 do headers[args[i]] = args[i + 1] end
  local whole = wrk.format("POST", nil, headers, body)
  local at = whole:find(args[3], 1, true)
  if at then
    head, tail = whole:sub(1, at - 1), whole:sub(at + #args[3])
  else
    head, tail = whole, nil
  end
end

function request()
  if not tail then return head end
  number = number + 1
  return head .. string.format("%012d", number) .. tail
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'result {"microseconds": %d, "requests": %d, "bytes": %d, "p50_us": %d, "p99_us": %d, ' ..
    '"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
    summary.duration, summary.requests, summary.bytes,
    latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
