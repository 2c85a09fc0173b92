-- Notes what an agent says of its tokens while its answer passes: held and changed is nothing.

local METADATA = "outerloop.tokens"
local DIRECTIONS = {
  input_tokens = "input_tokens",
  prompt_tokens = "input_tokens",
  output_tokens = "output_tokens",
  completion_tokens = "output_tokens",
}
local USAGE = '"usage"'
local LONGEST_USAGE = 4096
local LONGEST_CUT = 16 -- of a key and what stands between it and its value
local MOST_DIGITS = 9 -- more are no count of tokens, and might not fit a counter

-- The last one counts: streams report what they have come to.
local function note(handle, usage)
  -- Sums stand beside what they are made of.
  local sums = usage:sub(2, -2):gsub("%b{}", ""):gsub("%b[]", "")
  for name, digits in sums:gmatch('"(%a+_tokens)"%s*:%s*(%d+)') do
    if DIRECTIONS[name] and #digits <= MOST_DIGITS then
      handle:streamInfo():dynamicMetadata():set(METADATA, DIRECTIONS[name], tonumber(digits))
    end
  end
end

-- Returns the end of the text, where it may go on with the next one. Within texts of JSON there is
-- no such key: their quotes are escaped.
local function look(handle, text)
  local at = text:find(USAGE, 1, true)
  while at do
    local start = text:match("^%s*:%s*(){", at + #USAGE)
    if start then
      local usage = text:match("^%b{}", start)
      if not usage then
        return #text - at < LONGEST_USAGE and text:sub(at) or ""
      end
      note(handle, usage)
    end
    at = text:find(USAGE, at + #USAGE, true)
  end
  return text:sub(-LONGEST_CUT)
end

local function is_readable(headers)
  local kind = (headers:get("content-type") or ""):lower()
  local plain = (headers:get("content-encoding") or "identity"):lower() == "identity"
  return plain and (kind:find("^application/[%w.+-]*json") or kind:find("^text/event%-stream"))
end

function envoy_on_response(handle)
  if not is_readable(handle:headers()) then
    return
  end
  local kept = ""
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    if length > 0 then
      kept = look(handle, kept .. chunk:getBytes(0, length))
    end
  end
end
