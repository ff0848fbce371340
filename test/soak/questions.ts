/** The mix: what callers ask, and what the right answers to it are. */
import { gunzipSync } from 'node:zlib'
import { generatedCid } from '../support/fake-cluster/index.js'
import { type Chance, weighted } from './chance.js'
import { listing } from './listing-size.js'
import { type Credential, credentials } from './settings.js'
import type { Answer } from './wire.js'

export interface Question {
  readonly name: string
  /** Head and body as they are sent. */
  readonly text: string
  /** What the gate and a cluster in health answer. */
  readonly statuses: readonly number[]
  /** Whether the cluster may be asked, so that its troubles show. */
  readonly isForwarded: boolean
  /** What is wrong with an answer of 200; undefined: nothing. */
  readonly check?: (answer: Answer) => string | undefined
}

export type Ask = (chance: Chance) => Question

const cids = Array.from({ length: 300 }, (_, index) => generatedCid(index)) as [string, ...string[]]

/** Few addresses share a counter with the guesser, but some do. */
const refused = [401, 429]

/** Whatever the address is that they come from, these are told apart by the one forwarded. */
const somewhere = (chance: Chance): string =>
  `X-Forwarded-For: 10.${chance.below(256)}.${chance.below(256)}.${chance.below(256)}`

const authorization = (chance: Chance, { name, key }: Credential): string =>
  chance.isHit(0.5)
    ? `Authorization: Bearer ${key}`
    : `Authorization: Basic ${btoa(`${name}:${key}`)}`

export const requestText = (line: string, headers: readonly string[], body = ''): string =>
  [
    `${line} HTTP/1.1`,
    'Host: soak',
    ...headers,
    ...(body === '' ? [] : [`Content-Length: ${body.length}`]),
    '',
    body,
  ].join('\r\n')

export const byPinner = (chance: Chance): string =>
  authorization(chance, chance.of(credentials.pinners))

/** Asked with a good key, and for the cluster. */
function good(
  name: string,
  line: string,
  chance: Chance,
  check: (answer: Answer) => string | undefined,
  statuses: readonly number[] = [200],
  body = '',
): Question {
  const text = requestText(line, [byPinner(chance)], body)
  return { name, text, statuses, isForwarded: true, check }
}

/** Turned away by the gate itself. */
const turnedAway = (
  name: string,
  line: string,
  headers: readonly string[],
  ...statuses: readonly number[]
): Question => ({ name, text: requestText(line, headers), statuses, isForwarded: false })

const id: Ask = (chance) => good('id', 'GET /id', chance, field('peername', '160TB-SuperNode'))

const pin: Ask = (chance) => {
  const cid = chance.of(cids)
  const path = chance.isHit(0.1) ? `/pins/ipfs/${cid}` : `/pins/${cid}`
  const options = chance.isHit(0.5) ? '' : `?name=clip-${chance.below(1000)}&meta-owner=soak`
  const body = chance.isHit(0.1) ? '{"a":"body"}' : ''
  return good('pin', `POST ${path}${options}`, chance, field('cid', cid), [200], body)
}

const unpin: Ask = (chance) => {
  const cid = chance.of(cids)
  return good('unpin', `DELETE /pins/${cid}`, chance, field('cid', cid), [200, 403, 404])
}

const status: Ask = (chance) => {
  const cid = chance.of(cids)
  const query = chance.isHit(0.2) ? '?local=true' : ''
  return good('status', `GET /pins/${cid}${query}`, chance, field('cid', cid))
}

const statuses: Ask = (chance) => {
  const asked = new Set([chance.of(cids), chance.of(cids), chance.of(cids)])
  const isRight = (text: string) => [...asked].every((cid) => text.includes(`"${cid}"`))
  return good('statuses', `GET /pins?cids=${[...asked].join(',')}`, chance, (answer) =>
    isRight(textOf(answer)) ? undefined : 'other CIDs',
  )
}

/** The cluster answers an empty listing with 204. */
const listed = [200, 204]

const cheapListing: Ask = (chance) =>
  good('cheap listing', 'GET /pins?filter=error', chance, lines, listed)
const listingOfPinned: Ask = (chance) =>
  good('listing of pinned', 'GET /pins?filter=pinned', chance, lines, listed)

export const wholeListing: Ask = (chance) => {
  const isNew = chance.isHit(0.2)
  const headers = [
    isNew ? authorization(chance, credentials.operator) : byPinner(chance),
    ...(isNew ? ['Cache-Control: no-cache'] : []),
    ...(chance.isHit(0.4) ? ['Accept-Encoding: gzip'] : []),
  ]
  const text = requestText('GET /pins', headers)
  const size = listing.lines * listing.bytes
  const check = (answer: Answer) => {
    if ((answer.trailers.get('x-stream-error') ?? '') !== '') return undefined
    const { length } = bodyOf(answer)
    return length === size ? undefined : `${length} bytes of ${size}`
  }
  return { name: 'whole listing', text, statuses: [200], isForwarded: true, check }
}

const oldProtocol: Ask = (chance) => {
  const question = id(chance)
  return { ...question, name: 'HTTP/1.0', text: question.text.replace('HTTP/1.1', 'HTTP/1.0') }
}

const wrongKey: Ask = (chance) => {
  const { name, key } = chance.of(credentials.pinners)
  const wrong = chance.of([
    `Bearer ${key.slice(0, -1)}_`,
    `Bearer ${key.slice(0, 20)}`,
    `Basic ${btoa(`nobody:${key}`)}`,
    `Basic ${btoa(`${name}:pw_${'x'.repeat(49)}`)}`,
    'Basic !',
    'Digest what="this"',
  ])
  return turnedAway(
    'wrong key',
    'GET /id',
    [`Authorization: ${wrong}`, somewhere(chance)],
    ...refused,
  )
}

const guesser: Ask = () =>
  turnedAway(
    'guesser',
    'GET /id',
    ['Authorization: Bearer guess', 'X-Forwarded-For: 9.9.9.9'],
    401,
    429,
  )

const noKey: Ask = (chance) =>
  turnedAway('no key', `POST /pins/${chance.of(cids)}`, [somewhere(chance)], ...refused)

const disabled: Ask = (chance) =>
  turnedAway(
    ...(['disabled encoder', 'GET /id'] as const),
    [authorization(chance, credentials.disabled), somewhere(chance)],
    ...refused,
  )

const notPermitted: Ask = (chance) =>
  turnedAway(
    ...(['not permitted', `DELETE /pins/${chance.of(cids)}`] as const),
    [authorization(chance, credentials.reader)],
    403,
  )

const limited: Ask = (chance) => ({
  name: 'over the limit',
  text: requestText('GET /id', [authorization(chance, credentials.limited)]),
  statuses: [200, 429],
  isForwarded: true,
  check: field('peername', '160TB-SuperNode'),
})

const unknownRoute: Ask = (chance) => {
  const path = chance.of(['/', '/add', '/peers', '/pins/a/b/c', '/id/x', '/health', '/allocations'])
  return turnedAway('unknown route', `GET ${path}`, [byPinner(chance)], 404)
}

const otherMethod: Ask = (chance) =>
  turnedAway(
    'other method',
    `${chance.of(['PUT', 'PATCH', 'DELETE'])} /id`,
    [byPinner(chance)],
    405,
  )

const badCid: Ask = (chance) => {
  const bad = chance.of(['Qm', 'bafybad', `${chance.of(cids)}x`, '%20', 'QmYwAPJzv5CZsnA6I'])
  return turnedAway('bad CID', `POST /pins/${bad}`, [byPinner(chance)], 400)
}

const badOption: Ask = (chance) => {
  const option = chance.of(['mode=direct', 'what=this', 'expire-in=x', 'name=a&name=b', 'a=%zz'])
  return turnedAway(
    'bad option',
    `POST /pins/${chance.of(cids)}?${option}`,
    [byPinner(chance)],
    400,
  )
}

const notGranted: Ask = (chance) =>
  turnedAway(
    ...(['option not granted', `POST /pins/${chance.of(cids)}?replication-min=2`] as const),
    [byPinner(chance)],
    403,
  )

/** An encoder that is there by turns; the one who asks knows when. */
export const guest: Ask = (chance) => ({
  name: 'guest',
  text: requestText('GET /id', [authorization(chance, credentials.guest), somewhere(chance)]),
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
