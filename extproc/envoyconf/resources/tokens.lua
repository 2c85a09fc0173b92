-- Notes what an agent says of its tokens while its answer passes: held and changed is nothing.

local METADATA = "outerloop.tokens"
local DIRECTIONS = {
  input_tokens = "input_tokens",
  prompt_tokens = "input_tokens",
  output_tokens = "output_tokens",
  completion_tokens = "output_tokens",
}
-- A search stops at each first byte, and quotes are everywhere: these begin with what is rare.
local USAGE = 'usage"'
local COUNT = 'kens"' -- the end of each name above
local LONGEST_USAGE = 4096
local LONGEST_CUT = 16 -- of a key and what stands between it and its value
local MOST_DIGITS = 9 -- more are no count of tokens, and might not fit a counter
local PIECE = 16384 -- bytes that are looked at in one go: copies of them stay in the caches
local WHOLE = 262144 -- bytes of a stream that are looked at, however fast they come

-- The last one counts: streams report what they have come to.
local function note(handle, usage)
  -- Sums stand beside what they are made of.
  local sums = usage:sub(2, -2):gsub("%b{}", "")
  for name, digits in sums:gmatch('"(%a+_tokens)"%s*:%s*(%d+)') do
    if DIRECTIONS[name] and #digits <= MOST_DIGITS then
      handle:streamInfo():dynamicMetadata():set(METADATA, DIRECTIONS[name], tonumber(digits))
    end
  end
end

-- Returns the end of the text, where it may go on with the next one. Within texts of JSON there is
-- no such key: their quotes are escaped.
local function look(handle, text)
  -- Without a count only an object is of use that may get one from the next text.
  local from = text:find(COUNT, 1, true) and 1 or math.max(1, #text - LONGEST_USAGE)
  local at = text:find(USAGE, from, true)
  while at do
    local start = text:match('^"usage"%s*:%s*(){', at - 1)
    if start then
      local usage = text:match("^%b{}", start)
      if not usage then
        return #text - at < LONGEST_USAGE and text:sub(at - 1) or ""
      end
      note(handle, usage)
    end
    at = text:find(USAGE, at + #USAGE, true)
  end
  return text:sub(-LONGEST_CUT)
end

-- Returns a piece of a chunk behind what was kept. Within the chunk that is read again, which copies
-- less than joining the two.
local function read(chunk, at, size, kept)
  if at == 0 then
    return kept .. chunk:getBytes(0, size)
  end
  return chunk:getBytes(at - #kept, #kept + size)
end

-- Returns how much of an answer is looked at however it comes; nothing where it cannot be read.
local function readable(headers)
  local kind = (headers:get("content-type") or ""):lower()
  local plain = (headers:get("content-encoding") or "identity"):lower() == "identity"
  if plain and kind:find("^application/[%w.+-]*json") then
    return math.huge
  end
  return plain and kind:find("^text/event%-stream") and WHOLE
end

function envoy_on_response(handle)
  local whole = readable(handle:headers())
  if not whole then
    return
  end
  local kept, seen = "", 0
  for chunk in handle:bodyChunks() do
    local at, length = 0, chunk:length()
    while at < length do
      -- Streams report where they begin and end, or in each event: of what comes faster than anybody
      -- writes, the middle is passed over. To copy all of it would slow them down.
      if seen >= whole and at > 0 and length - at > PIECE then
        at = length - PIECE
      end
      local size = math.min(PIECE, length - at)
      kept = look(handle, read(chunk, at, size, kept))
      at, seen = at + size, seen + size
    end
  end
end
