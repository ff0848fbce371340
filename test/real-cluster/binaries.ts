/** Finds the real programs: where a variable says, else on the PATH. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface Binaries {
  readonly service: string
  readonly kubo: string
  /** Optional: without it its part is left out. */
  readonly ctl: string | undefined
  /** Another release of the service, that a rolling upgrade goes to; optional. */
  readonly next: string | undefined
}

export const howToGet = `\
The real cluster is needed, and at least one of its two programs was not found:

  ipfs-cluster-service   or the file that IPFS_CLUSTER_SERVICE names
  ipfs                   or the file that IPFS_KUBO names (Kubo)
  ipfs-cluster-ctl       or the file that IPFS_CLUSTER_CTL names; optional
                         IPFS_CLUSTER_SERVICE_NEXT: another release of the service; optional

The releases of both projects are at https://dist.ipfs.tech: kubo, ipfs-cluster-service and
ipfs-cluster-ctl, each an archive with one program. Unpack them, and name the files:

  IPFS_KUBO=…/kubo/ipfs IPFS_CLUSTER_SERVICE=…/ipfs-cluster-service npm run test:cluster
`

/** Undefined when one is absent that cannot be done without. */
export function findBinaries(environment = process.env): Binaries | undefined {
  const find = (variable: string, name?: string) => {
    const named = environment[variable] ?? ''
    if (named !== '') return isProgram(named) ? named : undefined
    if (name === undefined) return undefined
    const folders = (environment.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
    return folders.map((folder) => join(folder, name)).find(isProgram)
  }
  const service = find('IPFS_CLUSTER_SERVICE', 'ipfs-cluster-service')
  const kubo = find('IPFS_KUBO', 'ipfs')
  if (service === undefined || kubo === undefined) return undefined
  const ctl = find('IPFS_CLUSTER_CTL', 'ipfs-cluster-ctl')
  return { service, kubo, ctl, next: find('IPFS_CLUSTER_SERVICE_NEXT') }
}

/** For the tests, which run.ts starts only when all is there. */
export function binaries(): Binaries {
  const found = findBinaries()
  if (found === undefined) throw new Error(howToGet)
  return found
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
