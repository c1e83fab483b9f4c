"""What the queue has done inside Redis, each in one step that nobody comes between.

KEYS: the stream of what is not done, the stream of the dead. ARGV begins with the group, the capacity, the lease in milliseconds, and the
number of attempts; the group is made where Redis has lost it.
"""

_PRELUDE = """
local undone, dead, group = KEYS[1], KEYS[2], ARGV[1]
local capacity, lease, attempts = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('EXISTS', undone) == 0 then
    redis.call('XGROUP', 'CREATE', undone, group, '0', 'MKSTREAM')
end
local function forget(id)
    redis.call('XACK', undone, group, id)
    redis.call('XDEL', undone, id)
end
local function bury(id, why)
    local entry = redis.call('XRANGE', undone, id, id)[1]
    if entry then
        redis.call('XADD', dead, 'MAXLEN', capacity, '*', 'raw', entry[2][2], 'why', why)
    end
    forget(id)
end
"""

PUT = (
    _PRELUDE
    + """
if redis.call('XLEN', undone) + #ARGV - 4 > capacity then
    return 0
end
for i = 5, #ARGV do
    redis.call('XADD', undone, '*', 'raw', ARGV[i])
end
return 1
"""
)
"""Add ARGV[5] and all after it, or none. 1, or 0 where there is no room."""

CLAIM = (
    _PRELUDE
    + """
while true do
    local held = redis.call('XPENDING', undone, group, 'IDLE', lease, '-', '+', 1)[1]
    if not held then
        return false
    end
    local id, attempt = held[1], held[4] + 1
    if attempt > attempts then
        bury(id, ARGV[6] .. held[2])
    else
        local entry = redis.call('XCLAIM', undone, group, ARGV[5], 0, id)[1]
        if entry then
            return {id, attempt, entry[2][2]}
        end
        forget(id)
    end
end
"""
)
"""Hand ARGV[5] the first whose holder did not end in time: id, attempt, raw, or nothing. ARGV[6]: why those are dead whose attempts are
used up; the holder's name is added."""

FAILED = (
    _PRELUDE
    + """
local id, attempt = ARGV[5], tonumber(ARGV[6])
local held = redis.call('XPENDING', undone, group, id, id, 1)[1]
if not held or held[4] ~= attempt then
    return 0
end
if attempt >= attempts then
    bury(id, ARGV[7])
else
    redis.call('XCLAIM', undone, group, held[2], 0, id, 'IDLE', lease, 'JUSTID')
end
return 1
"""
)
"""Give back ARGV[5] if it is still held for the ARGV[6]th time, or bury it because of ARGV[7]."""

STATE = (
    _PRELUDE
    + """
local total = redis.call('XPENDING', undone, group)[1]
local late = 0
if total > 0 then
    late = #redis.call('XPENDING', undone, group, 'IDLE', lease, '-', '+', total)
end
return {redis.call('XLEN', undone), total - late, redis.call('XLEN', dead), redis.call('XRANGE', undone, '-', '+', 'COUNT', 1)}
"""
)
"""How many are not done, how many of those are held, how many are dead, and the first in line."""

REVIVE = (
    _PRELUDE
    + """
local room = capacity - redis.call('XLEN', undone)
if room <= 0 then
    return 0
end
local risen = redis.call('XRANGE', dead, '-', '+', 'COUNT', room)
for _, entry in ipairs(risen) do
    redis.call('XADD', undone, '*', 'raw', entry[2][2])
    redis.call('XDEL', dead, entry[1])
end
return #risen
"""
)
"""Put the dead back, oldest first, as many as there is room for; how many."""

SWEEP = (
    _PRELUDE
    + """
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', undone, group)) do
    local told = {}
    for i = 1, #consumer, 2 do
        told[consumer[i]] = consumer[i + 1]
    end
    if told['pending'] == 0 and told['idle'] > tonumber(ARGV[5]) then
        redis.call('XGROUP', 'DELCONSUMER', undone, group, told['name'])
    end
end
"""
)
"""Forget workers that hold nothing and have asked for nothing for ARGV[5] milliseconds."""
