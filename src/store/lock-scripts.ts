/**
 * What Redis does in one step for the locks of pins. Keys of one CID, in this order:
 *
 * - the lock: the token of the change that has it, with an end;
 * - the row: what was written last, behind the id of the run that wrote it;
 * - the open changes: tokens of changes whose writes may still land;
 * - the ended token: its change was given up, and a take of it that comes late takes nothing.
 *
 * The first two are read and written by older releases as well: their form stays.
 */

/** ARGV: the gate's id, the token, the lock's milliseconds, those of an open change. */
export const takeScript = `
if redis.call('EXISTS', KEYS[4]) == 1 then return {0} end
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return {0} end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('HSET', KEYS[3], ARGV[2], 1)
redis.call('PEXPIRE', KEYS[3], ARGV[4])
return {1, redis.call('GET', KEYS[2]), redis.call('HKEYS', KEYS[3])}
`

/**
 * ARGV: the token, the row or nothing, the row's milliseconds, the lock's, those of an open change,
 * and whether the change is over: nothing of it lands any more.
 */
export const endScript = `
local isAlone = redis.call('GET', KEYS[1]) == ARGV[1]
if isAlone then
  if ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[4], 1, 'PX', ARGV[4])
end
if ARGV[6] == '1' then
  redis.call('HDEL', KEYS[3], ARGV[1])
else
  redis.call('HSET', KEYS[3], ARGV[1], 1)
  redis.call('PEXPIRE', KEYS[3], ARGV[5])
end
return {isAlone and 1 or 0, redis.call('HKEYS', KEYS[3])}
`
