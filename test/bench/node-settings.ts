/** Settings of the programs of Node that the gate is compared with, from the file that is named. */
import { readFileSync } from 'node:fs'

export interface NodeSettings {
  readonly port: number
  readonly tlsPort: number
  readonly upstream: string
  readonly logFile: string
  readonly user: string
  readonly password: string
  readonly cert: string
  readonly key: string
}

export const readNodeSettings = (): NodeSettings =>
  JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as NodeSettings
