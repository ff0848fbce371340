/** Runs a command of the command line in this process, and keeps what it wrote. */
import { type Io, run } from '../../src/cli/cli.js'

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export const pinwarden = (...argv: string[]): Promise<Ended> => pinwardenWith({}, ...argv)

/** With an environment, a standard input or a terminal of its own. */
export async function pinwardenWith(
  {
    env = {},
    stdin,
    isTTY,
    takeSignals,
  }: Partial<Pick<Io, 'env' | 'stdin' | 'takeSignals'>> & { readonly isTTY?: boolean },
  ...argv: string[]
): Promise<Ended> {
  let [stdout, stderr] = ['', '']
  const code = await run(argv, {
    stdout: { write: (text) => (stdout += text), ...(isTTY !== undefined && { isTTY }) },
    stderr: { write: (text) => (stderr += text) },
    env,
    ...(stdin && { stdin }),
    ...(takeSignals && { takeSignals }),
  })
  return { code, stdout, stderr }
}
