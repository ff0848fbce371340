/** One peer of the drill's cluster: it can be killed and come back, with the same port and pins. */
import { type FakeCluster, type PinState, startFakeCluster } from '../support/fake-cluster/index.js'

export class Peer {
  private constructor(
    private readonly pins: PinState,
    private cluster: FakeCluster,
  ) {}

  static async start(pins: PinState): Promise<Peer> {
    return new Peer(pins, await startFakeCluster({ pins }))
  }

  get url(): string {
    return this.cluster.url
  }

  /** Every connection is reset, and new ones are refused. */
  async kill(): Promise<void> {
    await this.cluster.close()
  }

  async comeBack(): Promise<void> {
    const port = Number(new URL(this.url).port)
    this.cluster = await startFakeCluster({ pins: this.pins, port })
  }

  /** Takes connections and requests, and answers nothing, not even the checks. */
  hang(): Undo {
    const hanging = this.cluster.behave({ path: /./ }, { kind: 'stall' })
    return () => {
      hanging()
      hanging.release()
    }
  }

  /** Answers everything so much later. */
  slow(ms: number): Undo {
    return this.cluster.behave({}, { kind: 'delay', ms })
  }

  /** Says what no cluster says. */
  babble(): Undo {
    const bytes = 'SSH-2.0-OpenSSH_9.2\r\n'
    const undo = [
      this.cluster.behave({ method: 'GET', path: /^\/pins/ }, { kind: 'raw', bytes }),
      this.cluster.behave({ path: /./ }, { kind: 'status', status: 502, body: '<html>' }),
    ]
    return () => {
      for (const stop of undo) stop()
    }
  }

  /** Takes each request, and ends the connection instead of an answer. */
  cut(): Undo {
    return this.cluster.behave({ path: /./ }, { kind: 'hangup' })
  }
}

type Undo = () => void
