/** The atomic steps in Redis for the locks of pins. */

/**
 * Takes a lock. Keys of one CID, in this order:
 *
 * - the lock: the token of the change that has it, with an end;
 * - the row: what was written last, behind the id of the run that wrote it;
 * - the open changes, whose writes may still land: each by its lock's token, and of each gate those
 *   that have ended together; with the token of the last leases and, in seconds, the end;
 * - the ended token: its change was abandoned, and a late attempt with it does not take the lock.
 *
 * Older releases also read and write the first two: their form stays.
 *
 * ARGV: the gate's id, the token, the lock's milliseconds, those of an open change, the secret, the
 * token of the leases. If the secret behind these keys is another, so may be the cluster.
 */
export const takeScript = `
if redis.call('GET', KEYS[5]) ~= ARGV[5] then return {2} end
if redis.call('EXISTS', KEYS[4]) == 1 then return {0} end
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return {0} end
local now = tonumber(redis.call('TIME')[1])
local open = redis.call('HGETALL', KEYS[3])
for i = 1, #open, 2 do
  local last = tonumber(string.match(open[i + 1], '/(%d+)$'))
  if last and last < now then redis.call('HDEL', KEYS[3], open[i]) end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[6] .. '/' .. math.ceil(now + ARGV[4] / 1000))
redis.call('PEXPIRE', KEYS[3], ARGV[4])
return {1, redis.call('GET', KEYS[2]), redis.call('HGETALL', KEYS[3])}
`

/**
 * ARGV: the token, the row or nothing, the row's milliseconds, the lock's, those of an open change,
 * whether the change is over, so that nothing of it lands any more, the token of its leases, and
 * the gate's id.
 */
export const endScript = `
local isAlone = redis.call('GET', KEYS[1]) == ARGV[1]
if isAlone then
  if ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[4], 1, 'PX', ARGV[4])
end
redis.call('HDEL', KEYS[3], ARGV[1])
if ARGV[6] ~= '1' then
  local number = function(text) return tonumber(string.match(text, '%.(%d+)')) or -1 end
  local known = redis.call('HGET', KEYS[3], ARGV[8]) or ''
  local token = ARGV[7]
  if number(known) > number(token) then token = string.match(known, '[^/]+') end
  local last = math.ceil(redis.call('TIME')[1] + ARGV[5] / 1000)
  redis.call('HSET', KEYS[3], ARGV[8], token .. '/' .. last)
  redis.call('PEXPIRE', KEYS[3], ARGV[5])
end
return {isAlone and 1 or 0, redis.call('HGETALL', KEYS[3])}
`

/**
 * The CIDs that repairs of all gates have unpinned lately, in a set that expires by itself: a
 * repeated CID takes no more room. ARGV: the most CIDs, the set's milliseconds, then the CIDs.
 */
export const spendScript = `
local fresh = {}
for i = 3, #ARGV do
  if redis.call('SISMEMBER', KEYS[1], ARGV[i]) == 0 then fresh[#fresh + 1] = ARGV[i] end
end
if redis.call('SCARD', KEYS[1]) + #fresh > tonumber(ARGV[1]) then return 0 end
for _, cid in ipairs(fresh) do redis.call('SADD', KEYS[1], cid) end
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
`

/**
 * Whether each row, or a later one, is there; or one of a gate that had not heard of it. ARGV: the
 * mark of each.
 */
export const checkScript = `
local states = {}
for i, key in ipairs(KEYS) do
  local row = redis.call('GET', key)
  states[i] = not row and 0 or string.find(row, ARGV[i], 1, true) and 1 or 2
end
return states
`

/** What {@link checkScript} says of a row. */
export const rowStates = { gone: 0, kept: 1, anothers: 2 } as const
