/** A real Kubo of its own: offline, on loopback only, without requests to other hosts. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort, Running, runOnce, temporaryFolder } from './processes.js'

export interface Kubo {
  readonly id: string
  readonly port: number
  /** Where it keeps what it has. */
  readonly folder: string
  /** Adds a file's content, unpinned; returns its CID. */
  add(content: string, cidVersion?: 0 | 1): Promise<string>
  /** Adds a folder that holds one file; returns both CIDs. */
  addFolder(name: string, content: string): Promise<{ folder: string; file: string }>
  /** The types of its pins of a CID, such as `recursive`; undefined when there is none. */
  pinType(cid: string): Promise<string | undefined>
  stop(): Promise<void>
  /** Starts again what was stopped, with its blocks and pins, on the same port. */
  comeBack(): Promise<void>
  /** It hangs until it is thawed. */
  freeze(): void
  thaw(): void
}

export async function startKubo(t: Test, program: string, given?: number): Promise<Kubo> {
  const folder = temporaryFolder()
  const variables = { IPFS_PATH: folder, IPFS_TELEMETRY: 'off' }
  await runOnce(program, ['init', '--profile=test', '--empty-repo'], variables)
  const port = given ?? (await freePort())
  const id = shutIn(join(folder, 'config'), port)
  const rpc = (call: string, body?: FormData) =>
    fetch(`http://127.0.0.1:${port}/api/v0/${call}`, { method: 'POST', ...(body && { body }) })
  const run = async () => {
    const daemon = new Running(program, ['daemon', '--offline'], variables, folder)
    await daemon.ready(async () => (await rpc('version')).ok)
    return daemon
  }
  let daemon = await run()
  t.teardown(() => daemon.stopAndRemove())

  const add = async (query: string, name: string, content: string) => {
    const form = new FormData()
    form.set('file', new Blob([content]), name)
    const answer = await rpc(`add?pin=false&${query}`, form)
    const lines = (await answer.text()).trim().split('\n')
    return lines.map((line) => (JSON.parse(line) as { Hash: string }).Hash)
  }
  return {
    id,
    port,
    folder,
    add: async (content, cidVersion = 0) => {
      const [cid = ''] = await add(`cid-version=${cidVersion}`, 'file', content)
      return cid
    },
    addFolder: async (name, content) => {
      const [file = '', folder = ''] = await add('wrap-with-directory=true', name, content)
      return { folder, file }
    },
    pinType: async (cid) => {
      const answer = await rpc(`pin/ls?arg=${cid}`)
      const { Keys } = (await answer.json()) as { Keys?: Record<string, { Type: string }> }
      return Keys && Object.values(Keys)[0]?.Type
    },
    stop: () => daemon.stop(),
    comeBack: async () => {
      daemon = await run()
    },
    freeze: () => {
      daemon.freeze()
    },
    thaw: () => {
      daemon.thaw()
    },
  }
}

/** Turns off all that would listen or look elsewhere; what an older Kubo does not know, it skips. */
function shutIn(path: string, port: number): string {
  const config = JSON.parse(readFileSync(path, 'utf8')) as { Identity: { PeerID: string } }
  const shut = {
    ...config,
    Addresses: {
      Swarm: [],
      Announce: [],
      AppendAnnounce: [],
      NoAnnounce: [],
      API: `/ip4/127.0.0.1/tcp/${port}`,
      Gateway: [],
    },
    AutoConf: { Enabled: false },
    AutoTLS: { Enabled: false },
    Bootstrap: [],
    Discovery: { MDNS: { Enabled: false } },
    DNS: { Resolvers: {} },
    Ipns: { ResolveCacheSize: 128, DelegatedPublishers: [] },
    Plugins: { Plugins: { telemetry: { Disabled: true } } },
    Routing: { Type: 'none', DelegatedRouters: [] },
    Swarm: { DisableNatPortMap: true, RelayClient: { Enabled: false } },
  }
  writeFileSync(path, JSON.stringify(shut))
  return config.Identity.PeerID
}
