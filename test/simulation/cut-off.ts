/** Ports of a gate that can be killed: what it still waits for then never comes. */
import type { ClusterPort } from '../../src/ledger/cluster-port.js'
import type { GateParts } from './gate-port.js'

export interface Life {
  isAlive: boolean
}

export function cutOff(parts: GateParts, life: Life): GateParts {
  const { cluster: port, setTimer, log } = parts
  const never = new Promise<never>(() => undefined)
  const isOver = (): boolean => !life.isAlive
  const alive = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (isOver()) return never
    try {
      const value = await ask()
      return isOver() ? await never : value
    } catch (error) {
      if (isOver()) return never
      throw error
    }
  }
  const cluster: ClusterPort = {
    read: (...read) => alive(() => port.read(...read)),
    write: (...write) => alive(() => port.write(...write)),
    isFinished: (...asked) => alive(() => port.isFinished(...asked)),
    readState: (take) => alive(() => port.readState(take)),
    urls: () => port.urls(),
    peers: () => alive(() => port.peers()),
    isAvailable: port.isAvailable,
    onDisconnect: (call) => {
      port.onDisconnect(() => {
        if (life.isAlive) call()
      })
    },
  }
  return {
    ...parts,
    cluster,
    setTimer: (ms, call) =>
      setTimer(ms, () => {
        if (life.isAlive) call()
      }),
    log: (...line) => {
      if (life.isAlive) log(...line)
    },
  }
}
