/** Makes the release that the steps install, twice, and looks whether both are the same bytes. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { missing } from '../deploy/programs.js'
import { repository } from '../deploy/staging.js'
import { say } from './host.js'
import type { Steps } from './steps.js'

export const [version, next] = ['1.0.0', '1.0.1'] as const

export interface Built {
  /** The packages of two versions for this machine. */
  readonly first: string
  readonly second: string
  /** The container's build context. */
  readonly context: string
}

export async function buildSteps(steps: Steps, place: string): Promise<Built> {
  const architecture = (await say('dpkg', '--print-architecture')).trim()
  const nameOf = (version: string) => `pinwarden_${version}_${architecture}.deb`
  const [one, other, upgrade] = ['one', 'other', 'upgrade'].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ]
  await steps.step('two releases of one commit are the same bytes', async () => {
    const script = join(repository, 'deploy/release/release.sh')
    await say(script, '--version', version, '--out', one)
    // As in a checkout that was made and built under the umask 077.
    const page = join(repository, 'dist/src/admin/page')
    await say('chmod', '-R', 'go=', page)
    await say('sh', '-c', `umask 077 && exec ${script} --version ${version} --out ${other}`)
    await say('chmod', '-R', 'go=rX', page)
    const sums = readFileSync(join(one, 'SHA256SUMS'), 'utf8')
    assert.equal(readFileSync(join(other, 'SHA256SUMS'), 'utf8'), sums)
    await say('sh', '-c', `cd ${one} && sha256sum --check --strict SHA256SUMS`)
    const names = readdirSync(one).filter((name) => statSync(join(one, name)).isFile())
    assert.deepEqual(names.sort(), [
      'SHA256SUMS',
      `pinwarden-${version}.cdx.json`,
      'pinwarden-probe.mjs',
      `pinwarden_${version}_amd64.deb`,
      `pinwarden_${version}_arm64.deb`,
    ])
    return names.join(', ')
  })

  await steps.step('the bill of materials', () => {
    const text = readFileSync(join(one, `pinwarden-${version}.cdx.json`), 'utf8')
    const { components } = JSON.parse(text) as {
      components: readonly { readonly name: string; readonly version: string }[]
    }
    const named = (name: string) => components.find((each) => each.name === name)?.version
    assert.equal(`v${named('node') ?? ''}`, process.version, 'the Node that the tests run on')
    for (const name of ['fastify', 'undici', 'uplot']) assert(named(name) !== undefined, name)
    for (const name of ['typescript', 'tap', 'esbuild']) assert.equal(named(name), undefined, name)
    return Promise.resolve(`${components.length} components, Node ${named('node') ?? ''}`)
  })

  await steps.step('lintian has nothing to say', async () => {
    if (missing('lintian') !== false) return 'not tested here: lintian is not installed'
    const deb = join(one, nameOf(version))
    await say('lintian', '--allow-root', '--fail-on', 'error,warning', deb)
    return 'no error, no warning, but for overrides with their reasons'
  })

  const build = join(repository, 'deploy/debian/build.sh')
  await say(build, '--version', next, '--out', upgrade)
  return {
    first: join(one, nameOf(version)),
    second: join(upgrade, nameOf(next)),
    context: join(one, 'container'),
  }
}
