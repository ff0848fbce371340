/** `npm run demo`: a gate with a fresh key before a fake cluster, to try an encoder against. */
import type { AccessLine } from '../../src/gate/access-line.js'
import { openGate } from '../../src/gate/open.js'
import type { Log } from '../../src/log.js'
import { digestOf, generateKey } from '../../src/settings/key.js'
import { snapshotFrom } from '../../src/settings/load.js'
import { startFakeCluster } from './fake-cluster/index.js'

const port = Number(process.env.PORT ?? 9098)
const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

const cluster = await startFakeCluster()
const key = generateKey()
const snapshot = snapshotFrom({
  listen: { port },
  cluster: { endpoints: [{ url: cluster.url }] },
  encoders: {
    demo: { keys: [{ id: 'demo-1', sha256: digestOf(key) }] },
  },
})
const gate = await openGate({ current: () => snapshot, log: readableLog(), version: 'demo' })
const endpoint = gate.url.replace('//', `//demo:${key}@`)

say(`pinwarden demo: a gate at ${gate.url}, in front of an embedded fake cluster at ${cluster.url}

Paste this into an encoder's .env:

  IPFS_CLUSTER_ENDPOINT=${endpoint}

Or pin a CID by hand, look at it, and unpin it:

  curl -X POST ${endpoint}/pins/${cid}
  curl ${endpoint}/pins/${cid}
  curl -X DELETE ${endpoint}/pins/${cid}

One line follows for every request; Ctrl-C ends the demo.
`)

process.once('SIGINT', () => void end()).once('SIGTERM', () => void end())

async function end(): Promise<void> {
  await gate.close()
  await cluster.close()
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** What the daemon writes as JSON, for the eye. */
function readableLog(): Log {
  const line = (fields: object, message: string) => {
    say(`${message} ${JSON.stringify(fields)}`)
  }
  return {
    access: (_level, fields) => {
      say(readable(fields as AccessLine))
    },
    bug: (error) => {
      say(`bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    },
    info: line,
    warn: line,
    error: line,
    fatal: line,
    dropped: 0,
    setLevel: () => undefined,
    reopen: () => undefined,
    close: () => Promise.resolve(),
  }
}

function readable(line: AccessLine): string {
  const { status, method, path, encoder = '-', durationMs, reason } = line
  const time = new Date().toISOString().slice(11, 19)
  const why = reason === undefined ? '' : ` (${reason})`
  return `${time} ${status} ${method} ${path} by ${encoder} in ${durationMs} ms${why}`
}
