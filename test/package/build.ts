/** Builds the packages that the steps install, and looks whether builds are the same bytes. */
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { missing } from '../deploy/programs.js'
import { say } from './host.js'
import type { Steps } from './steps.js'

const build = fileURLToPath(new URL('../../../deploy/debian/build.sh', import.meta.url))

export const [version, next] = ['1.0.0', '1.0.1'] as const

/** The files of two versions for this machine. */
export interface Built {
  readonly first: string
  readonly second: string
}

export async function buildSteps(steps: Steps, place: string): Promise<Built> {
  const own = (await say('dpkg', '--print-architecture')).trim()
  const built = async (out: string, version: string, architecture = own): Promise<string> => {
    const directory = join(place, out)
    await say(build, '--version', version, '--arch', architecture, '--out', directory)
    return join(directory, `pinwarden_${version}_${architecture}.deb`)
  }
  for (const architecture of ['amd64', 'arm64'])
    await steps.step(`two builds for ${architecture} are the same bytes`, async () => {
      const one = await built('one', version, architecture)
      const other = await built('two', version, architecture)
      assert(readFileSync(one).equals(readFileSync(other)), 'two builds differ')
      assert.equal((await say('dpkg-deb', '--field', one, 'Architecture')).trim(), architecture)
      return `${(statSync(one).size / 1e6).toFixed(1)} MB`
    })
  await steps.step('lintian has nothing to say', async () => {
    if (missing('lintian') !== false) return 'not tested here: lintian is not installed'
    const deb = join(place, 'one', `pinwarden_${version}_${own}.deb`)
    await say('lintian', '--allow-root', '--fail-on', 'error,warning', deb)
    return 'no error, no warning, but for overrides with their reasons'
  })
  const first = join(place, 'one', `pinwarden_${version}_${own}.deb`)
  return { first, second: await built('one', next) }
}
