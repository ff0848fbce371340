/** The soak's cluster as its parent sees it: a process that misbehaves on command. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ClusterReply, ClusterRequest } from './troubles.js'

const program = fileURLToPath(new URL('cluster-process.js', import.meta.url))

export interface SoakCluster {
  readonly url: string
  /** Resolves once it is done. */
  tell(request: ClusterRequest): Promise<void>
  kill(): void
}

export async function startCluster(): Promise<SoakCluster> {
  const child = fork(program)
  const done = async (): Promise<ClusterReply> => {
    const [reply] = (await once(child, 'message')) as [ClusterReply]
    return reply
  }
  const { url } = await done()
  return {
    url,
    tell: async (request) => {
      const reply = done()
      child.send(request)
      await reply
    },
    kill: () => child.kill('SIGKILL'),
  }
}
