-- What does a Redis or Valkey server do with the limits of one organization? Every call is one atomic step.
--
-- KEYS  1 epoch  2 reservations (hash: id -> record)  3 their ends (sorted set: id by milliseconds)
--       4... one for each row: a rate (string), a set of requests under way (sorted set) or a budget (hash)
-- ARGV  1 call  2 epoch that the caller knows  3 epoch to begin where there is none; its first 12 characters name the
--       run of the server: memory that another run left is not trusted with credit  4... see each call
--
-- A row is packed as type, strict, amount, window in microseconds. Levels are units in use; they drain evenly. What a
-- request takes of a row that is SPENT is held beside the level, where nothing drains, until it is known to be used.
local RATE, RUNNING, BUDGET, SPENT = 0, 1, 2, 3
local LIVE, EXPIRED = 0, 1
local KEEP_EXPIRED_MS, KEEP_BUDGET_MS, KEEP_HELD_MS, KEEP_EARLY_MS, SWEPT_AT_ONCE = 600000, 172800000, 120000, 10000, 20

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local now_ms = math.floor(now / 1000)

local epoch = redis.call('GET', KEYS[1])
if not epoch or string.sub(epoch, 1, 12) ~= string.sub(ARGV[3], 1, 12) then
  epoch = ARGV[3]
  redis.call('SET', KEYS[1], epoch)
  redis.call('DEL', KEYS[2], KEYS[3])
end

local function whole(number) return string.format('%.0f', number) end

local function unpack_rows(packed)
  local rows, at = {}, 1
  while at <= #packed do
    local row = {}
    row.type, row.strict, row.amount, row.window, at = struct.unpack('<BBdd', packed, at)
    rows[#rows + 1] = row
  end
  return rows
end

local function unpack_units(packed)
  local units, at = {}, 1
  while at <= #packed do units[#units + 1], at = struct.unpack('<d', packed, at) end
  return units
end

local function drained(packed, row)
  if not packed then return 0 end
  local level, at = struct.unpack('<dd', packed)
  if now > at then level = level - (now - at) * row.amount / row.window end
  if level > 0 then return level end
  return 0
end

-- What is held belongs to reservations of this epoch: that of another is nobody's.
local function held_of(packed)
  if not packed or string.sub(packed, 25) ~= epoch then return 0 end
  return (struct.unpack('<d', packed, 17))
end

local function put_spent(key, row, level, held, hold_ms)
  held = math.max(0, held)
  if level <= 0 and held == 0 then return redis.call('DEL', key) end
  local ms = math.max(math.ceil(level * row.window / row.amount / 1000) + 1, held > 0 and 2 * hold_ms or 0)
  redis.call('SET', key, struct.pack('<ddd', level, now, held) .. epoch, 'PX', whole(ms))
end

local function add_spent(key, row, used, held, hold_ms)
  local packed = redis.call('GET', key)
  put_spent(key, row, drained(packed, row) + used, held_of(packed) + held, hold_ms)
end

local function put_level(key, row, level)
  if level > 0 then
    local ms = math.ceil(level * row.window / row.amount / 1000) + 1
    redis.call('SET', key, struct.pack('<dd', level, now), 'PX', whole(ms))
  else
    redis.call('DEL', key)
  end
end

local function add_level(key, row, units)
  if units ~= 0 then put_level(key, row, drained(redis.call('GET', key), row) + units) end
end

-- A budget that another epoch wrote is one that nobody wrote.
local function budget(key)
  local f = redis.call('HMGET', key, 'epoch', 'credit', 'on_the_way', 'reserved', 'until', 'period', 'sequence', 'charged', 'early',
                       'early_until')
  if f[1] ~= epoch then
    redis.call('DEL', key)
    return {credit = 0, on_the_way = 0, early = 0, early_until = 0, reserved = 0, ends = 0, period = '', sequence = '0',
            charged = '0'}
  end
  return {credit = tonumber(f[2]), on_the_way = tonumber(f[3]), reserved = tonumber(f[4]), ends = tonumber(f[5]),
          period = f[6], sequence = f[7], charged = f[8], early = tonumber(f[9]),
          early_until = tonumber(f[10] or 0)}
end

local function put_budget(key, b)
  redis.call('HSET', key, 'epoch', epoch, 'credit', whole(b.credit), 'on_the_way', whole(b.on_the_way), 'reserved',
             whole(b.reserved), 'until', whole(b.ends), 'period', b.period, 'sequence', b.sequence, 'charged', b.charged,
             'early', whole(b.early), 'early_until', whole(b.early_until))
  redis.call('PEXPIRE', key, KEEP_BUDGET_MS)
end

-- What requests change, of a budget that is there.
local function put_use(key, b)
  if b.sequence == '0' then return put_budget(key, b) end
  redis.call('HSET', key, 'on_the_way', whole(b.on_the_way), 'reserved', whole(b.reserved), 'early', whole(b.early))
end

local function free(b)
  if now_ms >= b.ends then return 0 end
  return b.credit - b.on_the_way - b.reserved
end

local function put_record(id, record, ends)
  redis.call('HSET', KEYS[2], id, cmsgpack.pack(record))
  redis.call('ZADD', KEYS[3], whole(ends), id)
end

local function get_record(id)
  local packed = redis.call('HGET', KEYS[2], id)
  return packed and cmsgpack.unpack(packed)
end

local function drop_record(id)
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
end

-- Take out of every count what the record holds, and put in what is used; `held` is 0 where it expired before. What the
-- ledger charged before its request had ended here (`early`) is not on its way any more, when that end is `told`.
local function release(id, record, counted, used, held, told)
  local rows, taken, known = unpack_rows(record.rows), unpack_units(record.taken), unpack_units(record.used)
  for i, row in ipairs(rows) do
    local key = record.keys[i]
    if row.type == RATE then
      if told then add_level(key, row, used[i] - taken[i]) end
    elseif row.type == SPENT then
      add_spent(key, row, used[i] - known[i], -held * math.max(0, taken[i] - known[i]), KEEP_HELD_MS)
    elseif row.type == RUNNING then
      redis.call('ZREM', key, id)
    elseif taken[i] ~= 0 or used[i] ~= 0 or counted[i] ~= 0 then
      local b = budget(key)
      if record.periods[i] == '' or b.period == record.periods[i] then
        b.reserved = math.max(0, b.reserved - held * taken[i])
        local use = used[i] - (1 - held) * counted[i]
        local early = told and math.max(0, math.min(b.early, use)) or 0
        b.early, b.on_the_way = b.early - early, b.on_the_way + use - early
        put_use(key, b)
      end
    end
  end
end

local function sweep()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', whole(now_ms), 'LIMIT', 0, SWEPT_AT_ONCE)) do
    local record = get_record(id)
    if record and record.state == LIVE then
      release(id, record, unpack_units(record.taken), unpack_units(record.used), 1, false)
      record.state = EXPIRED
      put_record(id, record, now_ms + KEEP_EXPIRED_MS)
    else
      drop_record(id)
    end
  end
end

local calls = {}

-- 4 rows  5 units  6 id, empty for nothing to hold  7 milliseconds that it is held
-- Answers status (0 taken, 1 over, 2 lacking credit), place, bits of shadow limits that are over, then each level before.
function calls.take()
  sweep()
  local rows, units, id = unpack_rows(ARGV[4]), unpack_units(ARGV[5]), ARGV[6]
  local strings = redis.call('MGET', unpack(KEYS, 4))
  local status, place, shadowed, levels, budgets, periods, drained_to = 0, 0, 0, {}, {}, {}, {}
  for i, row in ipairs(rows) do
    local level, over
    periods[i] = ''
    if row.type == RATE then
      level = drained(strings[i], row)
      over = level + units[i] > row.amount
    elseif row.type == SPENT then
      drained_to[i] = drained(strings[i], row)
      level = drained_to[i] + held_of(strings[i])
      over = level + units[i] > row.amount
    elseif row.type == RUNNING then
      redis.call('ZREMRANGEBYSCORE', KEYS[3 + i], '-inf', whole(now_ms))
      level = redis.call('ZCARD', KEYS[3 + i])
      over = level + 1 > row.amount
    else
      budgets[i] = budget(KEYS[3 + i])
      periods[i] = budgets[i].period
      level = free(budgets[i])
      over = units[i] > 0 and level < units[i] and row.strict == 1
    end
    levels[i] = level
    if over then
      if row.strict == 0 then
        shadowed = shadowed + 2 ^ (i - 1)
      elseif status == 0 then
        status, place = row.type == BUDGET and 2 or 1, i - 1
      end
    end
  end
  if status == 0 then
    for i, row in ipairs(rows) do
      local key = KEYS[3 + i]
      if row.type == RATE then
        if units[i] ~= 0 then put_level(key, row, levels[i] + units[i]) end
      elseif row.type == SPENT then
        if units[i] ~= 0 then
          put_spent(key, row, drained_to[i], levels[i] - drained_to[i] + units[i], math.max(KEEP_HELD_MS, ARGV[7]))
        end
      elseif row.type == RUNNING then
        redis.call('ZADD', key, whole(now_ms + ARGV[7]), id)
        redis.call('PEXPIRE', key, whole(2 * ARGV[7]))
      elseif units[i] > 0 then
        budgets[i].reserved = budgets[i].reserved + units[i]
        put_use(key, budgets[i])
      end
    end
    if id ~= '' then
      local nothing = string.rep('\0', #ARGV[5])
      local record = {state = LIVE, rows = ARGV[4], taken = ARGV[5], used = nothing, keys = {unpack(KEYS, 4)}, periods = periods}
      put_record(id, record, now_ms + ARGV[7])
    end
  end
  local parts = {struct.pack('<BBd', status, place, shadowed)}
  for i, level in ipairs(levels) do parts[i + 1] = struct.pack('<d', level) end
  return table.concat(parts)
end

-- 4 rows  5 taken  6 id  7 used. What is not known any more was settled by its end.
function calls.settle()
  local id, used = ARGV[6], unpack_units(ARGV[7])
  if id == '' then
    local taken = unpack_units(ARGV[5])
    for i, row in ipairs(unpack_rows(ARGV[4])) do add_level(KEYS[3 + i], row, used[i] - taken[i]) end
    return 'settled'
  end
  local record = get_record(id)
  if record then
    local live = record.state == LIVE
    release(id, record, unpack_units(live and record.taken or record.used), used, live and 1 or 0, true)
    drop_record(id)
  end
  return 'settled'
end

-- 4 rows  5 taken  6 id  7 used so far  8 milliseconds that it is held on. One that is not known is taken up as it is.
function calls.renew()
  local id, rows, taken = ARGV[6], unpack_rows(ARGV[4]), unpack_units(ARGV[5])
  local record = get_record(id)
  local live, now_used = record and record.state == LIVE, unpack_units(ARGV[7])
  local counted = record and unpack_units(record.used)
  for i, row in ipairs(rows) do
    if row.type == SPENT then
      local before = counted and counted[i] or 0
      local held = math.max(0, taken[i] - now_used[i]) - (live and math.max(0, taken[i] - before) or 0)
      add_spent(KEYS[3 + i], row, now_used[i] - before, held, math.max(KEEP_HELD_MS, ARGV[8]))
    end
  end
  if not live then
    local periods = {}
    for i, row in ipairs(rows) do
      local key, before = KEYS[3 + i], counted and counted[i] or 0
      periods[i] = ''
      if row.type == RATE then
        if not record then add_level(key, row, taken[i]) end
      elseif row.type == BUDGET and taken[i] > 0 then
        local b = budget(key)
        if not record or record.periods[i] == b.period then b.on_the_way = b.on_the_way - before end
        b.reserved = b.reserved + taken[i]
        periods[i] = b.period
        put_budget(key, b)
      end
    end
    record = {state = LIVE, rows = ARGV[4], taken = ARGV[5], keys = {unpack(KEYS, 4)}, periods = periods}
  end
  record.used = ARGV[7]
  put_record(id, record, now_ms + ARGV[8])
  for i, row in ipairs(rows) do
    if row.type == RUNNING then
      redis.call('ZADD', KEYS[3 + i], whole(now_ms + ARGV[8]), id)
      redis.call('PEXPIRE', KEYS[3 + i], whole(2 * ARGV[8]))
    end
  end
  return 'renewed'
end

-- Answers credit, on the way, reserved, milliseconds that it is usable, charged, sequence, period of the budget KEYS[4].
function calls.look()
  sweep()
  local b = budget(KEYS[4])
  return table.concat({whole(b.credit), whole(b.on_the_way), whole(b.reserved), whole(math.max(0, b.ends - now_ms)),
                       b.charged, b.sequence, b.period}, ' ')
end

-- 4 sequence that was looked at  5 sequence  6 credit  7 charged since then  8 charged  9 milliseconds usable  10 period
function calls.grant()
  local b = budget(KEYS[4])
  if b.sequence ~= ARGV[4] then return 'overtaken' end
  if b.period ~= '' and b.period ~= ARGV[10] then
    b.on_the_way, b.reserved, b.early = 0, 0, 0
  else
    if now_ms >= b.early_until then b.early = 0 end
    local left = b.on_the_way - b.early - ARGV[7]
    if b.early == 0 then b.early_until = now_ms + KEEP_EARLY_MS end
    b.on_the_way, b.early = math.max(0, left), math.min(b.reserved, math.max(0, -left))
  end
  b.credit, b.ends, b.sequence = tonumber(ARGV[6]), now_ms + ARGV[9], ARGV[5]
  b.charged, b.period = ARGV[8], ARGV[10]
  put_budget(KEYS[4], b)
  return 'granted'
end

if epoch ~= ARGV[2] and ARGV[1] ~= 'settle' then return 'epoch ' .. epoch end
if epoch ~= ARGV[2] and ARGV[6] ~= '' then return 'settled' end
return calls[ARGV[1]]()
