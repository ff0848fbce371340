/** The fake cluster in its own process, with faults on command. */
import { PinState, startFakeCluster } from '../support/fake-cluster/index.js'
import type { Behaviour, FakeCluster, Matcher } from '../support/fake-cluster/index.js'
import { errorLine, listing, listingWithError } from './listing-size.js'
import type { ClusterReply, ClusterRequest, Trouble } from './troubles.js'

const burstMs = 100
const keep = 'keep' as const
const json = { 'Content-Type': 'application/json' }
const wholeListing = { path: /^\/pins(\?local=true)?$/ }

interface Burst {
  readonly behaviour: Behaviour
  readonly matcher?: Matcher
  /** So many requests of a tenth of a second; a share is a rng. */
  readonly times: number
}

const bursts: Readonly<Record<Exclude<Trouble, 'down'>, readonly Burst[]>> = {
  stall: [{ behaviour: { kind: 'stall' }, times: 0.7 }],
  reset: [{ behaviour: { kind: 'reset' }, times: 10 }],
  hangup: [{ behaviour: { kind: 'hangup' }, times: 10 }],
  'die-mid-stream': [
    {
      behaviour: { kind: 'die-mid-stream', ...listing, lines: 3000 },
      matcher: wholeListing,
      times: 1,
    },
    { behaviour: { kind: 'die-mid-stream' }, times: 5 },
    { behaviour: { kind: 'die-mid-stream', end: 'rst' }, times: 5 },
  ],
  'die-mid-length': [{ behaviour: { kind: 'die-mid-length' }, times: 10 }],
  halt: [
    {
      behaviour: {
        kind: 'raw',
        bytes: 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
        end: keep,
      },
      times: 0.5,
    },
  ],
  garbage: [{ behaviour: { kind: 'raw', bytes: 'what?\r\n\r\n' }, times: 10 }],
  'status-500': [
    { behaviour: { kind: 'status', status: 500, headers: json, body: errorLine(500) }, times: 20 },
  ],
  'status-503': [{ behaviour: { kind: 'status', status: 503, body: 'busy' }, times: 20 }],
  redirect: [
    { behaviour: { kind: 'status', status: 301, headers: { Location: '/elsewhere' } }, times: 20 },
  ],
  'stream-error': [
    {
      behaviour: { kind: 'stream', ...listingWithError, trailers: ['the pinset is gone'] },
      matcher: wholeListing,
      times: 5,
    },
  ],
}

/** What was pinned is still pinned when it is there again. */
const pins = new PinState()
let cluster: FakeCluster | undefined = await startFakeCluster({ pins })
const { url } = cluster
const port = Number(new URL(url).port)
let bursting: NodeJS.Timeout | undefined
arm([])

process.on('message', (request: ClusterRequest) => {
  void (request.kind === 'trouble' ? turnTo(request.trouble) : hangUp()).then(reply)
})
// No client asks any more.
process.on('disconnect', () => process.exit(0))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)
reply()

function reply(): void {
  process.send?.({ url } satisfies ClusterReply)
}

async function turnTo(trouble: Trouble | undefined): Promise<void> {
  clearInterval(bursting)
  if (trouble === 'down') {
    await cluster?.close()
    cluster = undefined
    return
  }
  cluster ??= await startFakeCluster({ port, pins })
  arm([])
  if (trouble === undefined) return
  bursting = setInterval(() => {
    arm(bursts[trouble])
  }, burstMs)
}

/** Every connection to it is closed; then it is there again. */
async function hangUp(): Promise<void> {
  await turnTo('down')
  await turnTo(undefined)
}

/** Whatever was left of the burst before is forgotten, and what it kept of requests. */
function arm(next: readonly Burst[]): void {
  if (cluster === undefined) return
  cluster.reset()
  for (const { behaviour, matcher, times } of next) {
    const count = times < 1 ? Number(Math.random() < times) : times
    if (count > 0) cluster.behave(matcher ?? {}, behaviour, count)
  }
  cluster.behave(wholeListing, { kind: 'stream', ...listing })
}
