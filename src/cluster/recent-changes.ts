/** Recently changed pins: other peers of the cluster may not have them so far. */
import { AgingMap } from '../collections/aging-map.js'

/** A peer that cannot take what another one sent waits for it for five minutes. */
const lagMs = 300_000

/** Most remembered pins; the oldest are dropped. */
const keptMin = 10_000

export class RecentChanges {
  /** Path of the pin → when. */
  private readonly changedAt = new AgingMap<number>(keptMin)

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** @param path of a write, such as `/pins/CID?name=x` */
  note(path: string): void {
    const pin = pinIn(path)
    if (pin !== undefined) this.changedAt.set(pin, this.now())
  }

  /** @param path of a read */
  has(path: string): boolean {
    if (this.changedAt.isEmpty) return false
    const at = this.changedAt.get(pinIn(path) ?? '')
    return at !== undefined && at > this.now() - lagMs
  }
}

const prefix = '/pins/'
const ipfsPrefix = '/pins/ipfs/'

/** `/pins/CID`, of that, of what lies below it, and of `/pins/ipfs/CID`. */
export function pinIn(path: string): string | undefined {
  if (path.startsWith(ipfsPrefix)) return pinIn(prefix + path.slice(ipfsPrefix.length))
  if (!path.startsWith(prefix)) return undefined
  const query = path.indexOf('?')
  const whole = query === -1 ? path : path.slice(0, query)
  const below = whole.indexOf('/', prefix.length)
  return below === -1 ? whole : whole.slice(0, below)
}
