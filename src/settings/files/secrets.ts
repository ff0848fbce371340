/** Reads the secrets that the configuration names as files: TLS key and cluster passwords. */
import { type NamedFiles, namedFilesIn, pemText, readPassword } from './named-files.js'
import type { Problem, Segment } from '../problems.js'
import type { Config } from '../schema/schema.js'
import { certificatesIn, readTls, type TlsMaterial } from './tls-pair.js'

/** The contents of the files that an endpoint of the cluster names. */
export interface EndpointSecrets {
  readonly password?: string | undefined
  /** CA certificates in PEM, for the endpoint's certificate. */
  readonly ca?: string | undefined
}

/** The contents of the files that the store names. */
export type StoreSecrets = EndpointSecrets

export interface Secrets {
  readonly tls: TlsMaterial | undefined
  /** By the index of the cluster endpoint. */
  readonly endpointSecrets: readonly EndpointSecrets[]
  readonly storeSecrets: StoreSecrets
  /** Field → digest of its file's content, for all files read. */
  readonly digests: ReadonlyMap<string, string>
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

/** Paths are absolute here; only messages use `baseDir`. */
export function readSecrets(config: Config, baseDir: string, now: number): Secrets {
  const files = namedFilesIn(baseDir)
  const endpointSecrets = config.cluster.endpoints.map(({ passwordFile, caFile }, index) => {
    const path = ['cluster', 'endpoints', index]
    return {
      password: passwordFile && readPassword(files, passwordFile, [...path, 'passwordFile']),
      ca: caFile && readAuthority(files, caFile, [...path, 'caFile']),
    }
  })
  const { passwordFile, caFile } = config.store
  const storeSecrets = {
    password: passwordFile && readPassword(files, passwordFile, ['store', 'passwordFile']),
    ca: caFile && readAuthority(files, caFile, ['store', 'caFile']),
  }
  const tls = readTls(files, baseDir, config.listen.tls, now)
  const { digests, problems, warnings } = files
  return { tls, endpointSecrets, storeSecrets, digests, problems, warnings }
}

function readAuthority(
  files: NamedFiles,
  file: string,
  path: readonly Segment[],
): string | undefined {
  const bytes = files.read(file, path, false)
  if (bytes === undefined) return undefined
  const ca = pemText(bytes)
  const certificates = certificatesIn(ca)
  if (certificates !== undefined && certificates.length > 0) return ca
  const found = certificates === undefined ? 'a certificate that cannot be read' : 'no certificate'
  files.report(path, found, 'one or more certificates in PEM')
  return undefined
}
