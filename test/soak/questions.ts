/** The mix: what callers ask, and what the right answers to it are. */
import { gunzipSync } from 'node:zlib'
import { generatedCid } from '../support/fake-cluster/index.js'
import { type SeededRng, weighted } from './seeded-rng.js'
import { listing } from './listing-size.js'
import { type Credential, credentials } from './settings.js'
import type { Answer } from './wire.js'

export interface Question {
  readonly name: string
  /** Head and body as they are sent. */
  readonly text: string
  /** What the gate and a cluster in health answer. */
  readonly statuses: readonly number[]
  /** Whether the cluster may be asked, so that its faults show. */
  readonly isForwarded: boolean
  /** Whether the gate passes the cluster's answer on as it comes. */
  readonly isStream?: true
  /** What is wrong with an answer of 200; undefined: nothing. */
  readonly check?: (answer: Answer) => string | undefined
}

export type Ask = (rng: SeededRng) => Question

const cids = Array.from({ length: 300 }, (_, index) => generatedCid(index)) as [string, ...string[]]

/** Few addresses share a counter with the guesser, but some do. */
const refused = [401, 429]

/** These requests are distinguished by their forwarded address, wherever they come from. */
const somewhere = (rng: SeededRng): string =>
  `X-Forwarded-For: 10.${rng.below(256)}.${rng.below(256)}.${rng.below(256)}`

const authorization = (rng: SeededRng, { name, key }: Credential): string =>
  rng.isHit(0.5) ? `Authorization: Bearer ${key}` : `Authorization: Basic ${btoa(`${name}:${key}`)}`

export const requestText = (line: string, headers: readonly string[], body = ''): string =>
  [
    `${line} HTTP/1.1`,
    'Host: soak',
    ...headers,
    ...(body === '' ? [] : [`Content-Length: ${body.length}`]),
    '',
    body,
  ].join('\r\n')

export const byPinner = (rng: SeededRng): string => authorization(rng, rng.of(credentials.pinners))

/** Requests with a valid key, for the cluster. */
function good(
  name: string,
  line: string,
  rng: SeededRng,
  check: (answer: Answer) => string | undefined,
  statuses: readonly number[] = [200],
  body = '',
): Question {
  const text = requestText(line, [byPinner(rng)], body)
  return { name, text, statuses, isForwarded: true, check }
}

/** Refused by the gate itself. */
const turnedAway = (
  name: string,
  line: string,
  headers: readonly string[],
  ...statuses: readonly number[]
): Question => ({ name, text: requestText(line, headers), statuses, isForwarded: false })

const id: Ask = (rng) => good('id', 'GET /id', rng, field('peername', '160TB-SuperNode'))

const pin: Ask = (rng) => {
  const cid = rng.of(cids)
  const path = rng.isHit(0.1) ? `/pins/ipfs/${cid}` : `/pins/${cid}`
  const options = rng.isHit(0.5) ? '' : `?name=clip-${rng.below(1000)}&meta-owner=soak`
  const body = rng.isHit(0.1) ? '{"a":"body"}' : ''
  return good('pin', `POST ${path}${options}`, rng, field('cid', cid), [200], body)
}

const unpin: Ask = (rng) => {
  const cid = rng.of(cids)
  return good('unpin', `DELETE /pins/${cid}`, rng, field('cid', cid), [200, 403, 404])
}

const status: Ask = (rng) => {
  const cid = rng.of(cids)
  const query = rng.isHit(0.2) ? '?local=true' : ''
  return good('status', `GET /pins/${cid}${query}`, rng, field('cid', cid))
}

const statuses: Ask = (rng) => {
  const asked = new Set([rng.of(cids), rng.of(cids), rng.of(cids)])
  const isRight = (text: string) => [...asked].every((cid) => text.includes(`"${cid}"`))
  const question = good('statuses', `GET /pins?cids=${[...asked].join(',')}`, rng, (answer) =>
    isRight(textOf(answer)) ? undefined : 'other CIDs',
  )
  return { ...question, isStream: true }
}

/** The cluster answers an empty listing with 204. */
const listed = [200, 204]

const cheapListing: Ask = (rng) => ({
  ...good('cheap listing', 'GET /pins?filter=error', rng, lines, listed),
  isStream: true,
})
const listingOfPinned: Ask = (rng) => ({
  ...good('listing of pinned', 'GET /pins?filter=pinned', rng, lines, listed),
  isStream: true,
})

export const wholeListing: Ask = (rng) => {
  const isNew = rng.isHit(0.2)
  const headers = [
    isNew ? authorization(rng, credentials.operator) : byPinner(rng),
    ...(isNew ? ['Cache-Control: no-cache'] : []),
    ...(rng.isHit(0.4) ? ['Accept-Encoding: gzip'] : []),
  ]
  const text = requestText('GET /pins', headers)
  const size = listing.lines * listing.bytes
  const check = (answer: Answer) => {
    if ((answer.trailers.get('x-stream-error') ?? '') !== '') return undefined
    const { length } = bodyOf(answer)
    return length === size ? undefined : `${length} bytes of ${size}`
  }
  return { name: 'whole listing', text, statuses: [200], isForwarded: true, isStream: true, check }
}

const oldProtocol: Ask = (rng) => {
  const question = id(rng)
  return { ...question, name: 'HTTP/1.0', text: question.text.replace('HTTP/1.1', 'HTTP/1.0') }
}

const wrongKey: Ask = (rng) => {
  const { name, key } = rng.of(credentials.pinners)
  const wrong = rng.of([
    `Bearer ${key.slice(0, -1)}_`,
    `Bearer ${key.slice(0, 20)}`,
    `Basic ${btoa(`nobody:${key}`)}`,
    `Basic ${btoa(`${name}:pw_${'x'.repeat(49)}`)}`,
    'Basic !',
    'Digest what="this"',
  ])
  return turnedAway('wrong key', 'GET /id', [`Authorization: ${wrong}`, somewhere(rng)], ...refused)
}

const guesser: Ask = () =>
  turnedAway(
    'guesser',
    'GET /id',
    ['Authorization: Bearer guess', 'X-Forwarded-For: 9.9.9.9'],
    401,
    429,
  )

const noKey: Ask = (rng) =>
  turnedAway('no key', `POST /pins/${rng.of(cids)}`, [somewhere(rng)], ...refused)

const disabled: Ask = (rng) =>
  turnedAway(
    ...(['disabled encoder', 'GET /id'] as const),
    [authorization(rng, credentials.disabled), somewhere(rng)],
    ...refused,
  )

const notPermitted: Ask = (rng) =>
  turnedAway(
    ...(['not permitted', `DELETE /pins/${rng.of(cids)}`] as const),
    [authorization(rng, credentials.reader)],
    403,
  )

const limited: Ask = (rng) => ({
  name: 'over the limit',
  text: requestText('GET /id', [authorization(rng, credentials.limited)]),
  statuses: [200, 429],
  isForwarded: true,
  check: field('peername', '160TB-SuperNode'),
})

const unknownRoute: Ask = (rng) => {
  const path = rng.of(['/', '/add', '/peers', '/pins/a/b/c', '/id/x', '/health', '/allocations'])
  return turnedAway('unknown route', `GET ${path}`, [byPinner(rng)], 404)
}

const otherMethod: Ask = (rng) =>
  turnedAway('other method', `${rng.of(['PUT', 'PATCH', 'DELETE'])} /id`, [byPinner(rng)], 405)

const badCid: Ask = (rng) => {
  const bad = rng.of(['Qm', 'bafybad', `${rng.of(cids)}x`, '%20', 'QmYwAPJzv5CZsnA6I'])
  return turnedAway('bad CID', `POST /pins/${bad}`, [byPinner(rng)], 400)
}

const badOption: Ask = (rng) => {
  const option = rng.of(['mode=direct', 'what=this', 'expire-in=x', 'name=a&name=b', 'a=%zz'])
  return turnedAway('bad option', `POST /pins/${rng.of(cids)}?${option}`, [byPinner(rng)], 400)
}

const notGranted: Ask = (rng) =>
  turnedAway(
    ...(['option not granted', `POST /pins/${rng.of(cids)}?replication-min=2`] as const),
    [byPinner(rng)],
    403,
  )

/** An encoder that is there by turns; the one who asks knows when. */
export const guest: Ask = (rng) => ({
  name: 'guest',
  text: requestText('GET /id', [authorization(rng, credentials.guest), somewhere(rng)]),
  statuses: [200, ...refused],
  isForwarded: true,
  check: field('peername', '160TB-SuperNode'),
})

export const anyQuestion = weighted<Ask>([
  ...([
    [12, id],
    [24, pin],
    [12, unpin],
    [24, status],
    [3, statuses],
  ] as const),
  ...([
    [2, cheapListing],
    [1, listingOfPinned],
    [1, oldProtocol],
    [3, guest],
  ] as const),
  ...([
    [3, wrongKey],
    [1, guesser],
    [2, noKey],
    [1, disabled],
    [1, notPermitted],
  ] as const),
  ...([
    [3, limited],
    [2, unknownRoute],
    [1, otherMethod],
    [2, badCid],
    [2, badOption],
  ] as const),
  ...([[1, notGranted]] as const),
])

/** Answers that leave the connection open, one behind the other. */
export const pipelinable = weighted<Ask>([
  ...([
    [2, id],
    [4, pin],
    [2, unpin],
    [4, status],
    [1, wrongKey],
    [1, badCid],
  ] as const),
  ...([
    [1, unknownRoute],
    [1, limited],
  ] as const),
])

function field(name: string, right: string): (answer: Answer) => string | undefined {
  return (answer) => {
    const value = (JSON.parse(textOf(answer)) as Record<string, unknown>)[name]
    return value === right ? undefined : `${name} is ${String(value)}, not ${right}`
  }
}

/** Whatever is listed: nothing but objects, a line each. */
function lines(answer: Answer): string | undefined {
  const all = textOf(answer)
    .split('\n')
    .filter((line) => line !== '')
  return all.every((line) => 'cid' in (JSON.parse(line) as object)) ? undefined : 'not pins'
}

const bodyOf = ({ headers, body }: Answer): Buffer =>
  headers.get('content-encoding') === 'gzip' ? gunzipSync(body) : body

const textOf = (answer: Answer): string => bodyOf(answer).toString()
