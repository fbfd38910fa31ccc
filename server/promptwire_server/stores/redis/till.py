"""Till: the decisions on money, in Lua. Each is one step of the server, by its clock, on keys of one hash tag that begin with KEYS[1].

`state`: generation, run (the server's own name of its life), phase, seq (grows with each change), defs (version of the definitions).
`parts`: counters, each written for one process only and only growing: "budget|kind|bucket|process". Kinds: s spent, r spent given back,
a adjusted up, d adjusted down, u unpriced, h held ever, g of that given back. "~process": what the store has booked for a dead one.
`b:<budget>`: their sums over all processes, with the thresholds told. `changed`: parts by the seq of their last change.
`holds:<process>`: open holds. Amounts are text in JSON, since cjson rounds; Lua's numbers are exact up to 9 million USD.
"""

from typing import Final

from promptwire_server.stores.redis.script import Script

_COMMON: Final = """
local P = KEYS[1]
local STATE, PARTS, CHANGED, DONE, SWEPT = P .. ':state', P .. ':parts', P .. ':changed', P .. ':done', P .. ':swept'
local OWNERS, DEFS, REPORTED = P .. ':owners', P .. ':defs', P .. ':reported'
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end
local function life() return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') end
local moved, details = {}, {}

-- Where the caller stands: lost (the store has forgotten), other (another generation), recovering, open.
local function gate(gen, seq)
  local kept = redis.call('HMGET', STATE, 'gen', 'run', 'phase', 'seq')
  if not kept[1] or kept[2] ~= life() then return 'lost' end
  if kept[1] ~= gen then return 'other' end
  if tonumber(kept[4] or '0') < tonumber(seq) then return 'lost' end
  return kept[3]
end
local function reply(word, rest)
  local kept = redis.call('HMGET', STATE, 'gen', 'seq', 'defs')
  return {word, kept[1] or '', kept[2] or '0', text(now), kept[3] or '0', moved, details, rest or {}}
end
local function bump(id, kind, bucket, node, amount)
  if tonumber(amount) == 0 then return end
  local member = id .. '|' .. kind .. '|' .. bucket .. '|' .. node
  redis.call('HINCRBY', P .. ':b:' .. id, kind .. '|' .. bucket, amount)
  redis.call('HINCRBY', PARTS, member, amount)
  redis.call('ZADD', CHANGED, redis.call('HINCRBY', STATE, 'seq', 1), member)
  moved[#moved + 1] = member
  moved[#moved + 1] = redis.call('HGET', PARTS, member)
end
local function sums(id, since)
  local sum, told = {s = 0, r = 0, a = 0, d = 0, u = 0, h = 0, g = 0}, {}
  local all = redis.call('HGETALL', P .. ':b:' .. id)
  for i = 1, #all, 2 do
    local kind, bucket, percent = string.match(all[i], '^(%a)|(%d+)|?(%d*)$')
    if kind == 'h' or kind == 'g' or tonumber(bucket) >= tonumber(since) then
      if kind == 't' then told[percent] = true else sum[kind] = sum[kind] + tonumber(all[i + 1]) end
    end
  end
  return {spent = sum.s - sum.r, adjusted = sum.a - sum.d, unpriced = sum.u, held = sum.h - sum.g, told = told}
end
-- The thresholds that nobody was told of in this window.
local function tell(budgets)
  local found = {}
  for _, budget in ipairs(budgets) do
    if #budget.percents > 0 then
      local sum = sums(budget.id, budget.since)
      local used, limit = sum.spent + sum.held, tonumber(budget.limit) + sum.adjusted
      for _, percent in ipairs(budget.percents) do
        if not sum.told[tostring(percent)] and used > 0 and used * 100 >= limit * percent then
          redis.call('HSET', P .. ':b:' .. budget.id, 't|' .. budget.bucket .. '|' .. percent, 1)
          found[#found + 1] = {budget.id, text(percent), text(sum.spent), text(sum.held), text(limit), budget.since}
        end
      end
    end
  end
  return found
end
local function found_hold(node, id)
  local kept = redis.call('HGET', P .. ':holds:' .. node, id)
  return kept and cjson.decode(kept) or nil
end
local function keep_hold(node, id, hold)
  local kept = cjson.encode(hold)
  redis.call('HSET', P .. ':holds:' .. node, id, kept)
  details[#details + 1] = id
  details[#details + 1] = kept
end
local function exists(id) return redis.call('HEXISTS', DEFS, id) == 1 end
-- Give a hold back; false when it is gone. What was taken from a parent and not spent goes back there, while that is held.
local function drop(node, id, book, spent)
  local hold = found_hold(node, id)
  if not hold then return false end
  local parent = hold.parent ~= '' and found_hold(node, hold.parent)
  for budget, each in pairs(hold.of) do
    if exists(budget) then bump(budget, 'g', '0', book, each.left) end
    local back = math.max(0, tonumber(each.taken) - tonumber(spent))
    if parent and parent.of[budget] and back > 0 then
      parent.of[budget].left = text(tonumber(parent.of[budget].left) + back)
      if exists(budget) then bump(budget, 'h', '0', book, text(back)) end
    end
  end
  if parent then keep_hold(node, hold.parent, parent) end
  redis.call('HDEL', P .. ':holds:' .. node, id)
  details[#details + 1] = id
  details[#details + 1] = ''
  return hold
end
-- What parts say is held, beyond what open holds explain, is of holds that nobody knows any more: it is spent.
local function explain(buckets)
  local held = {}
  local all = redis.call('HGETALL', PARTS)
  for i = 1, #all, 2 do
    local id, kind, node = string.match(all[i], '^([^|]+)|([hg])|%d+|~?(.+)$')
    if id and exists(id) then
      held[id .. '|' .. node] = (held[id .. '|' .. node] or 0) + (kind == 'h' and 1 or -1) * tonumber(all[i + 1])
    end
  end
  for _, node in ipairs(redis.call('HKEYS', OWNERS)) do
    for _, kept in ipairs(redis.call('HVALS', P .. ':holds:' .. node)) do
      for id, each in pairs(cjson.decode(kept).of) do
        if exists(id) then held[id .. '|' .. node] = (held[id .. '|' .. node] or 0) - tonumber(each.left) end
      end
    end
  end
  for key, excess in pairs(held) do
    local id, node = string.match(key, '^([^|]+)|(.+)$')
    if excess > 0 then
      bump(id, 'g', '0', '~' .. node, text(excess))
      bump(id, 's', buckets[id] or text(now), '~' .. node, text(excess))
    else
      bump(id, 'h', '0', '~' .. node, text(-excess))
    end
  end
end
"""

# gen, seq, node, from, until, defs, wish in JSON
HOLD: Final = Script(
    _COMMON
    + """
local word = gate(ARGV[1], ARGV[2])
if word ~= 'open' then return reply(word) end
if redis.call('HGET', STATE, 'defs') ~= ARGV[6] then return reply('stale') end
if now < tonumber(ARGV[4]) or now >= tonumber(ARGV[5]) then return reply('clock') end
local node, wish = ARGV[3], cjson.decode(ARGV[7])
if redis.call('ZSCORE', DONE, wish.id) then return reply('given') end
local parent = wish.parent ~= '' and found_hold(node, wish.parent)
local granted, lefts = tonumber(wish.most), {}
local least = tonumber(wish.least)
for _, budget in ipairs(wish.budgets) do
  local sum = sums(budget.id, budget.since)
  local left = parent and parent.of[budget.id] and tonumber(parent.of[budget.id].left) or 0
  local unspent = tonumber(budget.limit) + sum.adjusted - sum.spent
  local free = unspent - sum.held + left
  lefts[budget.id] = left
  if budget.binds then
    if free < least then return reply('denied', {budget.id, text(free), unspent >= least and 1 or 0}) end
    granted = math.min(granted, free)
  end
end
local of = {}
for _, budget in ipairs(wish.budgets) do
  local taken = math.min(granted, lefts[budget.id])
  if taken > 0 then
    parent.of[budget.id].left = text(lefts[budget.id] - taken)
    bump(budget.id, 'g', '0', node, text(taken))
  end
  bump(budget.id, 'h', '0', node, text(granted))
  of[budget.id] = {left = text(granted), taken = text(taken)}
end
if parent then keep_hold(node, wish.parent, parent) end
redis.call('HSETNX', OWNERS, node, text(now))
keep_hold(node, wish.id, {at = text(now), nano = text(granted), parent = wish.parent, intent = wish.intent, of = of})
return reply('held', {text(granted), tell(wish.budgets)})
"""
)

# gen, seq, node, from, until, defs, bill in JSON
SETTLE: Final = Script(
    _COMMON
    + """
local word = gate(ARGV[1], ARGV[2])
if word ~= 'open' and word ~= 'recovering' then return reply(word) end
if redis.call('HGET', STATE, 'defs') ~= ARGV[6] then return reply('stale') end
if now < tonumber(ARGV[4]) or now >= tonumber(ARGV[5]) then return reply('clock') end
local bill = cjson.decode(ARGV[7])
local owner, book = bill.owner, bill.orphan and '~' .. bill.owner or ARGV[3]
if bill.orphan and word ~= 'open' then return reply('recovering') end
if redis.call('ZSCORE', DONE, bill.id) then return reply('again') end
local counted
if bill.hold ~= '' then
  local hold = drop(owner, bill.hold, book, bill.total)
  if bill.orphan then
    if not hold then return reply('again') end
    if #bill.budgets > 0 then redis.call('HSET', SWEPT, bill.hold, hold.nano) end
  elseif not hold then
    counted = redis.call('HGET', SWEPT, bill.hold)
  end
end
if not bill.orphan then redis.call('ZADD', DONE, text(now), bill.id) end
redis.call('ZREMRANGEBYSCORE', DONE, '-inf', text(now - 3600000000))
for _, budget in ipairs(bill.budgets) do
  if counted then
    local difference = tonumber(budget.spent) - tonumber(counted)
    bump(budget.id, difference > 0 and 's' or 'r', budget.bucket, book, text(math.abs(difference)))
  else
    bump(budget.id, 's', budget.bucket, book, budget.spent)
    bump(budget.id, 'u', budget.bucket, book, budget.unpriced)
  end
end
return reply('settled', {counted or '', tell(bill.budgets)})
"""
)

# gen, seq, node, lease_us, quiet_us, buckets in JSON
TICK: Final = Script(
    _COMMON
    + """
local word = gate(ARGV[1], ARGV[2])
if word ~= 'open' and word ~= 'recovering' then return reply(word) end
local node, lease = ARGV[3], tonumber(ARGV[4])
redis.call('HSET', OWNERS, node, text(now))
local owners = redis.call('HGETALL', OWNERS)
if word == 'recovering' then
  local age, missing = now - tonumber(redis.call('HGET', STATE, 'began')), 0
  for i = 1, #owners, 2 do
    if redis.call('SISMEMBER', REPORTED, owners[i]) == 0 and now - tonumber(owners[i + 1]) < lease then missing = missing + 1 end
  end
  if redis.call('SISMEMBER', REPORTED, node) == 0 then return reply('other') end
  if missing == 0 and age >= tonumber(ARGV[5]) then
    explain(cjson.decode(ARGV[6]))
    redis.call('HSET', STATE, 'phase', 'open')
    word = 'open'
  end
end
local orphans = {}
if word == 'open' then
  for i = 1, #owners, 2 do
    if owners[i] ~= node and now - tonumber(owners[i + 1]) >= lease then
      local left = redis.call('HGETALL', P .. ':holds:' .. owners[i])
      if #left == 0 then redis.call('HDEL', OWNERS, owners[i]) end
      for j = 1, #left, 2 do orphans[#orphans + 1] = {owners[i], left[j], left[j + 1]} end
    end
  end
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', CHANGED, '(' .. ARGV[2], '+inf')) do
  moved[#moved + 1] = member
  moved[#moved + 1] = redis.call('HGET', PARTS, member)
end
return reply(word, {redis.call('HKEYS', OWNERS), orphans, redis.call('HGETALL', P .. ':holds:' .. node)})
"""
)

# node, new gen, gen that is lost, defs version, buckets in JSON; counts of parts, holds, definitions and owners; these, as pairs
REPORT: Final = Script(
    _COMMON
    + """
local node, place = ARGV[1], 10
local kept = redis.call('HMGET', STATE, 'gen', 'run', 'phase', 'defs')
if not kept[1] or kept[2] ~= life() or kept[1] == ARGV[3] then
  redis.call('HSET', STATE, 'gen', ARGV[2], 'run', life(), 'phase', 'recovering', 'began', text(now))
  redis.call('HSETNX', STATE, 'defs', '0')
  redis.call('DEL', REPORTED)
  for _, owner in ipairs(redis.call('HKEYS', OWNERS)) do redis.call('HSET', OWNERS, owner, text(now)) end
  kept[3] = 'recovering'
end
local function pairs_of(count, take)
  for _ = 1, tonumber(count) do
    take(ARGV[place], ARGV[place + 1])
    place = place + 2
  end
end
pairs_of(ARGV[6], function(member, value)
  local lacking = tonumber(value) - tonumber(redis.call('HGET', PARTS, member) or '0')
  local id, kind, bucket, of = string.match(member, '^([^|]+)|(%a)|(%d+)|(.+)$')
  if lacking > 0 then bump(id, kind, bucket, of, text(lacking)) end
end)
redis.call('HSET', OWNERS, node, text(now))
pairs_of(ARGV[7], function(id, hold)
  if kept[3] == 'recovering' and not redis.call('ZSCORE', DONE, id) then redis.call('HSET', P .. ':holds:' .. node, id, hold) end
end)
local newer = tonumber(ARGV[4]) > tonumber(redis.call('HGET', STATE, 'defs'))
if newer then
  redis.call('DEL', DEFS)
  redis.call('HSET', STATE, 'defs', ARGV[4])
end
pairs_of(ARGV[8], function(id, definition)
  if newer then redis.call('HSET', DEFS, id, definition) end
end)
pairs_of(ARGV[9], function(owner)
  if kept[3] == 'recovering' then redis.call('HSETNX', OWNERS, owner, text(now)) end
end)
redis.call('SADD', REPORTED, node)
if kept[3] == 'open' then explain(cjson.decode(ARGV[5])) end
moved = redis.call('HGETALL', PARTS)
return reply(redis.call('HGET', STATE, 'phase'))
"""
)

# gen, seq, from, until, budgets in JSON
LOOK: Final = Script(
    _COMMON
    + """
local word = gate(ARGV[1], ARGV[2])
if word ~= 'open' then return reply(word) end
if now < tonumber(ARGV[3]) or now >= tonumber(ARGV[4]) then return reply('clock') end
local found = {}
for _, budget in ipairs(cjson.decode(ARGV[5])) do
  local sum, told = sums(budget.id, budget.since), {}
  for percent in pairs(sum.told) do told[#told + 1] = percent end
  found[#found + 1] = {text(sum.spent), text(sum.adjusted), text(sum.unpriced), text(sum.held), told}
end
return reply('seen', found)
"""
)

DEFINED: Final = Script(_COMMON + "return reply('seen', redis.call('HGETALL', DEFS))")

_ONCE: Final = """
local word = gate(ARGV[1], ARGV[2])
if word ~= 'open' then return reply(word) end
local once, digest = ARGV[3], ARGV[4]
if once ~= '' then
  local answer = redis.call('HMGET', P .. ':once', once, once .. '|digest')
  if answer[1] then return reply(answer[2] == digest and 'answered' or 'reused', answer[1]) end
end
if redis.call('HGET', STATE, 'defs') ~= ARGV[5] then return reply('stale') end
local function keep(answer)
  if once ~= '' then redis.call('HSET', P .. ':once', once, answer, once .. '|digest', digest) end
end
"""

# gen, seq, once, digest, defs; budgets that go; budget that comes, its definition, the answer; parts that go
CHANGE: Final = Script(
    _COMMON
    + _ONCE
    + """
local old, new = ARGV[6], ARGV[7]
if old ~= '' then redis.call('HDEL', DEFS, old) end
if old ~= '' and old ~= new then
  redis.call('DEL', P .. ':b:' .. old)
  for i = 10, #ARGV do
    redis.call('HDEL', PARTS, ARGV[i])
    redis.call('ZREM', CHANGED, ARGV[i])
  end
end
if new ~= '' then redis.call('HSET', DEFS, new, ARGV[8]) end
redis.call('HINCRBY', STATE, 'defs', 1)
keep(ARGV[9])
return reply('changed')
"""
)

# gen, seq, once, digest, defs, node, from, until, most, amount, budget in JSON, the answer up to the number and the moment
ADJUST: Final = Script(
    _COMMON
    + _ONCE
    + """
if now < tonumber(ARGV[7]) or now >= tonumber(ARGV[8]) then return reply('clock') end
local budget, amount = cjson.decode(ARGV[11]), tonumber(ARGV[10])
if math.abs(sums(budget.id, budget.since).adjusted + amount) > tonumber(ARGV[9]) then return reply('much') end
bump(budget.id, amount > 0 and 'a' or 'd', budget.bucket, ARGV[6], text(math.abs(amount)))
local number = redis.call('HINCRBY', STATE, 'seq', 1)
local answer = cjson.encode({number = text(number), at = text(now), amount = ARGV[10], id = ARGV[12], reason = ARGV[13], by = ARGV[14]})
keep(answer)
return reply('changed', {answer, tell({budget})})
"""
)
