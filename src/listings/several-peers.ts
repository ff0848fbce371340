/** Whether the cluster was ever seen with more than one peer, be it before the last restart. */
import { join } from 'node:path'
import { DurableFile, makeDirectory, readDurable } from '../disk/durable-file.js'

export interface SeveralPeersParts {
  /** Where a file says so; undefined: it is forgotten with the process. */
  readonly directory: string | undefined
  /** For the log. */
  readonly tell: (level: 'warn', fields: object, message: string) => void
}

export class SeveralPeers {
  private constructor(
    private readonly parts: SeveralPeersParts,
    private isKnown: boolean,
  ) {}

  /** @throws when there is a file that cannot be read */
  static async open(parts: SeveralPeersParts): Promise<SeveralPeers> {
    const { directory } = parts
    const known = directory === undefined ? undefined : await readDurable(pathIn(directory))
    return new SeveralPeers(parts, known !== undefined)
  }

  get wereSeen(): boolean {
    return this.isKnown
  }

  /** Says so once. Where the disk takes nothing, it is known until the restart. */
  async see(): Promise<void> {
    if (this.isKnown) return
    this.isKnown = true
    const { directory, tell } = this.parts
    tell('warn', {}, told)
    if (directory === undefined) return
    try {
      await makeDirectory(directory)
      const file = new DurableFile(pathIn(directory), () => inFile)
      await file.rewrite()
      await file.close()
    } catch (err) {
      tell('warn', { directory, err }, 'that the cluster has several peers cannot be kept')
    }
  }
}

const pathIn = (directory: string): string => join(directory, 'several-peers')

const told =
  'the cluster has more than one peer: whole listings are asked of all of them from now on; ' +
  '"listing": { "local": "never" } in the settings makes that so from the start'

/** For who finds it. */
const inFile =
  'The cluster was seen with more than one peer, so whole listings are asked of all of them.\n' +
  'If it is one peer for good, remove this file and restart pinwarden.\n'
