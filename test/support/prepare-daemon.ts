/** The real daemon in front of a fake cluster, with its configuration in a directory of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { run } from './daemon.js'
import { generatedCid, startFakeCluster } from './fake-cluster/index.js'
import { pinwarden } from './pinwarden.js'

interface Settings extends Readonly<Record<string, unknown>> {
  readonly cluster?: object
}

/** @param settings beside those of listener, control socket and endpoint */
export async function prepareDaemon(t: Test, settings: Settings) {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  // The path of a socket has 107 bytes at most.
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const file = (name: string) => join(directory, name)
  const path = file('config.json')
  const config = {
    listen: { port: 0 },
    control: { socket: 'control.sock' },
    ...settings,
    cluster: { endpoints: [{ url: cluster.url }], ...settings.cluster },
  }
  const write = (changed: object = {}) => {
    writeFileSync(path, JSON.stringify({ ...config, ...changed }), { mode: 0o640 })
  }
  write()
  const start = async () => {
    const daemon = run(t, ['serve', '--config', path])
    const { url } = await daemon.logged('listening')
    /** Pins, unpins or reads a generated CID. @returns the status */
    const ask = async (method: string, index: number, key: string, query = '') => {
      const response = await fetch(`${String(url)}/pins/${generatedCid(index)}${query}`, {
        method,
        headers: { authorization: `Bearer ${key}` },
      })
      await response.text()
      return response.status
    }
    const end = (signal: NodeJS.Signals = 'SIGTERM') => {
      daemon.process.kill(signal)
      return daemon.exited
    }
    return { daemon, url: String(url), ask, end }
  }
  const command = (...argv: string[]) => pinwarden(...argv, '-c', path)
  return { cluster, path, file, write, start, command }
}
