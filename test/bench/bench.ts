/** What every item works with, and the programs that take part where they are installed. */
import { startCaddy } from './programs/caddy.js'
import { startHaproxy } from './programs/haproxy.js'
import { startNginx } from './programs/nginx.js'
import type { Scheme } from './programs/passwords.js'
import { type Shape, startPinwarden } from './programs/pinwarden.js'
import { startFloor, startPlain } from './programs/plain.js'
import { type Place, type Program, whereIs } from './programs/program.js'
import type { Sizes } from './sizes.js'
import type { Upstream } from './upstream-process.js'
import type { Sandbox } from './sandbox.js'

export type Start = () => Promise<Program>

export const peers = [
  { command: 'nginx', install: 'apt-get install nginx-light', version: '-v' },
  { command: 'caddy', install: 'apt-get install caddy', version: 'version' },
  { command: 'haproxy', install: 'apt-get install haproxy', version: '-v' },
]

export class Bench {
  private readonly place: Place

  constructor(
    readonly sandbox: Sandbox,
    readonly upstream: Upstream,
    readonly sizes: Sizes,
  ) {
    this.place = { sandbox, upstreamPort: upstream.port }
  }

  gate(shape: Shape = {}, name = 'pinwarden'): Start {
    return () => startPinwarden(this.place, name, shape)
  }

  plain(): Start {
    return () => startPlain(this.place)
  }

  floor(): Start {
    return () => startFloor(this.place)
  }

  /** None where it is not installed; the same for the others. */
  nginx(scheme: Scheme, users = 10): Start[] {
    const command = whereIs('nginx')
    return command === undefined ? [] : [() => startNginx(this.place, command, scheme, users)]
  }

  caddy(): Start[] {
    const command = whereIs('caddy')
    return command === undefined ? [] : [() => startCaddy(this.place, command)]
  }

  haproxy(users: number): Start[] {
    const command = whereIs('haproxy')
    return command === undefined ? [] : [() => startHaproxy(this.place, command, users)]
  }

  /** Starts programs, works with them and stops them, also when it fails. */
  async with<Result>(
    starts: readonly Start[],
    work: (programs: readonly Program[]) => Promise<Result>,
  ): Promise<Result> {
    const programs: Program[] = []
    try {
      for (const start of starts) programs.push(await start())
      return await work(programs)
    } finally {
      await Promise.all(programs.map((program) => program.stop()))
    }
  }
}
