/** The fake cluster answers as the real one, byte by byte, but for what only a real one knows. */
import t, { type Test } from 'tap'
import {
  type FakeCluster,
  kuboId,
  peerId,
  startFakeCluster,
} from '../support/fake-cluster/index.js'
import { cidOf } from '../support/fake-cluster/cids.js'
import { binaries } from './binaries.js'
import { type Login, peername, type RealCluster, startCluster } from './cluster-service.js'
import { type Kubo, startKubo } from './kubo.js'
import { badCids, spellings } from './conformance/cids.js'
import { guarded } from './conformance/guarded.js'
import { dubious, http } from './conformance/http.js'
import { failed, life, recoverAll, withoutKubo } from './conformance/life.js'
import { options } from './conformance/options.js'
import { cors, empty, garbage, routes, slashes } from './conformance/routes.js'
import { ask, type Contents, type Step } from './conformance/step.js'
import { settled } from './settled.js'
import { exchangeWithin, takeApart, type WireAnswer, withoutSelf } from './wire.js'

interface Pair {
  readonly fake: FakeCluster
  readonly real: RealCluster
  /** What the real one is called → what the fake one is. */
  readonly self: Map<string, string>
}

t.setTimeout(300_000)
const { service, kubo: kuboProgram } = binaries()
let compared = 0

async function startPair(t: Test, kubo: Kubo, login?: Login): Promise<Pair> {
  const real = await startCluster(t, service, kubo, { login })
  const { version } = real
  const fake = await startFakeCluster({ peername, version, kuboAddresses: [], ...login })
  t.teardown(() => fake.close())
  const self = new Map([
    [real.id, peerId],
    [kubo.id, kuboId],
    [`127.0.0.1:${kubo.port}`, '127.0.0.1:5001'],
    // The libraries of 1.1.4 and 1.1.6 spell this differently.
    ['Invalid base58 digit', 'invalid base58 digit'],
  ])
  return { fake, real, self }
}

async function compare(t: Test, { fake, real, self }: Pair, list: readonly Step[]) {
  for (const step of list) {
    const answersOf = async (url: string) => {
      const text = await exchangeWithin(url, step.bytes)
      return takeApart(text, step.method).flatMap((answer) => linesOf(answer, step, self))
    }
    const expected = await answersOf(real.url)
    t.same(await answersOf(fake.url), expected, step.title)
    compared++
    if (!/^(GET|HEAD)/.test(step.bytes)) await settled(real.url)
  }
}

const asQueued = (text: string): string =>
  text
    .replace('"status":"pinning"', '"status":"pin_queued"')
    .replace('"attempt_count":2', '"attempt_count":1')

/** What the real cluster says of a failed pin. */
async function failureOf({ id, url }: RealCluster, cid: string): Promise<string> {
  const answer = await fetch(`${url}/pins/${cid}`)
  const { peer_map } = (await answer.json()) as { peer_map: Record<string, { error: string }> }
  return peer_map[id]?.error ?? ''
}

function linesOf(answer: WireAnswer, step: Step, self: Pair['self']): string[] {
  const { statusLine, headers, framing, body, trailers } = answer
  const parts = body.map((part) => withoutSelf(part, self))
  if (step.unordered === true) parts.sort()
  const calm = step.racing === true ? parts.map(asQueued) : parts
  const shown = step.anyBody === true ? [] : calm
  return [
    statusLine,
    ...headers,
    ...shown.flatMap((part) => [`(${framing})`, ...part.split(/(?<=\n)/)]),
    ...trailers.map((trailer) => `(trailer) ${trailer}`),
  ]
}

t.test('the fake cluster answers as the real one', async (t) => {
  const kubo = await startKubo(t, kuboProgram)
  const fileName = 'file.txt'
  const fill = async (): Promise<Contents> => ({
    v0: await kubo.add('one'),
    v1: await kubo.add('two', 1),
    other: await kubo.add('three'),
    fileName,
    ...(await kubo.addFolder(fileName, 'in a folder')),
  })
  const contents = await fill()
  const { folder, file } = contents
  const pair = await startPair(t, kubo)
  t.comment(`ipfs-cluster-service ${pair.real.version}`)
  pair.self.set(file, cidOf(`/ipfs/${folder}/${fileName}`))
  const parts: [title: string, list: readonly Step[]][] = [
    ['with nothing pinned', empty(contents)],
    ['on every route and none', routes(contents)],
    ['to a collection of garbage', garbage],
    ['to slashes and dots', slashes(contents)],
    ['to every spelling of a CID', spellings(contents)],
    ['to what is no CID', badCids(contents)],
    ['to pin options', options(contents)],
    ['through the life of pins', life(contents)],
    ['to browsers', cors(contents)],
    ['to bad HTTP', http(contents)],
  ]
  for (const [title, list] of parts) {
    await t.test(title, (t) => compare(t, pair, list))
    // What is not pinned may have been collected.
    if (list === garbage) await fill()
  }

  await t.test('except for dubious HTTP, which it refuses', async (t) => {
    for (const { title, bytes } of dubious) {
      t.match(await exchangeWithin(pair.real.url, bytes), /^HTTP\/1.1 [23]/, `real: ${title}`)
      t.match(await exchangeWithin(pair.fake.url, bytes), /^HTTP\/1.1 [45]/, `fake: ${title}`)
    }
  })
  await t.test('when a pin fails, and is recovered', async (t) => {
    const cid = 'bafkreiabx4gm5u62y6bc6mt6rdhjx4e37tsjxmvzl7a3dbklo46pwp6vgm'
    await compare(t, pair, [ask(`POST /pins/${cid}`)])
    const failure = await failureOf(pair.real, cid)
    t.not(failure, '')
    pair.fake.setStatus(cid, 'pin_error', failure)
    await compare(t, pair, failed(cid))
    await compare(t, pair, [recoverAll])
    pair.fake.setStatus(cid, 'pin_error', await failureOf(pair.real, cid))
    await compare(t, pair, [ask(`DELETE /pins/${cid}`), ask('GET /pins')])
  })
  await t.test('with basic authentication', async (t) => {
    const login = { username: 'u', password: 'p:w' }
    await compare(t, await startPair(t, kubo, login), guarded(login))
  })
  await t.test('when Kubo is gone', async (t) => {
    await compare(t, pair, [ask(`POST /pins/${contents.v0}`)])
    await kubo.stop()
    pair.fake.kuboDown = true
    await compare(t, pair, withoutKubo(contents))
  })
  t.comment(`${compared} requests compared`)
})
