/** Phase 1, authenticate: verifies the key in Basic or Bearer; a bad one gets 401. */
import { isIP, isIPv6 } from 'node:net'
import type { FastifyInstance, FastifyReply, onRequestHookHandler } from 'fastify'
import basicAuth from '@fastify/basic-auth'
import type { KeyEntry } from '../../settings/keyring/keyring.js'
import { refuse } from '../answer.js'
import type { Counted, Counter } from '../limit/counter.js'
import type { RequestRecord } from '../record/record.js'
import type { RefusalReason } from '../refusals.js'
import { recordOf } from '../request.js'

const realm = 'realm="pinwarden"'
const challenges = [`Bearer ${realm}`, `Basic ${realm}, charset="UTF-8"`]

/**
 * Verifies the credential before it looks at failures, at the cost of one hash: a valid key always
 * passes, whatever others do behind the same address.
 * @param countFailure counts one more failure of the client's address
 */
export async function authenticate(
  app: FastifyInstance,
  countFailure: Counter,
): Promise<onRequestHookHandler> {
  await app.register(basicAuth, {
    validate(name, key, request, _reply, done) {
      const fault = identify(recordOf(request), key, name)
      done(fault === undefined ? undefined : refusedFor(fault))
    },
  })

  return (request, reply, done) => {
    const record = recordOf(request)
    const end = (fault: RefusalReason | undefined): void => {
      if (fault === undefined) {
        done()
      } else {
        countFailure(request)
          .then((failures) => {
            refuseCredential(reply, record, fault, failures)
          })
          .catch(done)
      }
    }
    const { authorization } = request.headers
    if (authorization === undefined) {
      end('no-credential')
      return
    }
    const bearer = /^bearer +(\S+)$/i.exec(authorization)?.[1]
    if (bearer !== undefined) {
      end(identify(record, bearer))
      return
    }
    app.basicAuth(request, reply, (error) => {
      if (error === undefined) end(undefined)
      else end(error instanceof Refused ? error.reason : 'bad-credential')
    })
  }
}

/** Carries the gate's reason through the plugin's callback. */
class Refused extends Error {
  constructor(readonly reason: RefusalReason) {
    super(reason)
  }
}

const refused = new Map<RefusalReason, Refused>()

/** One error for each reason: creating one is costly, as it records its stack. */
function refusedFor(reason: RefusalReason): Refused {
  const known = refused.get(reason)
  if (known !== undefined) return known
  const created = new Refused(reason)
  refused.set(reason, created)
  return created
}

/**
 * Finds the key's encoder and puts it into the record. A key alone names its encoder, so an unknown
 * name and a wrong key take the same steps: one hash, one lookup.
 * @param name user name of Basic; must be the encoder's
 * @returns why the gate refuses the credential
 */
function identify(record: RequestRecord, key: string, name?: string): RefusalReason | undefined {
  const found = record.snapshot.keyring.find(key)
  if (typeof found === 'string') return found
  if (name !== undefined && name !== found.encoder.name) return 'key-of-another'
  const fault = unfit(found, record.client)
  if (fault !== undefined) return fault
  record.encoder = found.encoder
  record.keyId = found.id
  record.connection?.authenticated(found.encoder.name)
  return undefined
}

function unfit({ encoder, expiresAtMs }: KeyEntry, client: string): RefusalReason | undefined {
  if (!encoder.enabled) return 'encoder-disabled'
  if (expiresAtMs <= Date.now()) return 'key-expired'
  if (encoder.from === undefined) return undefined
  if (isIP(client) === 0) return 'wrong-network'
  const family = isIPv6(client) ? 'ipv6' : 'ipv4'
  return encoder.from.check(client, family) ? undefined : 'wrong-network'
}

function refuseCredential(
  reply: FastifyReply,
  record: RequestRecord,
  fault: RefusalReason,
  failures: Counted,
): void {
  if (record.connection?.refused(failures.isExceeded) === true) reply.header('connection', 'close')
  if (failures.isExceeded) {
    reply.header('retry-after', failures.ttlInSeconds)
    refuse(reply, record, 'too-many-failures')
    return
  }
  reply.header('www-authenticate', challenges)
  refuse(reply, record, fault)
}
