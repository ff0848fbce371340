/** Each field that names a path: where it starts, and how long that of a socket may be. */
import { resolve } from 'node:path'
import t from 'tap'
import { ConfigError, pathText } from '../../../src/settings/problems.js'
import { loadConfig } from '../../../src/settings/load.js'
import { at, changed, leaves, loaded } from '../../support/every-field.js'
import { snapshotFrom } from '../../support/snapshot-from.js'

const paths = leaves.filter(({ schema }) => schema.path !== undefined)

t.test('a relative path starts at the directory of the configuration', async (t) => {
  const { write, directory } = await loaded(t)
  t.not(paths.length, 0)
  for (const { path } of paths) {
    write(changed(path, 'some/where'))
    const config = await loadConfig(`${directory}/config.json`)
    t.equal(at(config, path), resolve(directory, 'some/where'), path.join('.'))
    write(changed(path, '/some/where'))
    t.equal(at(await loadConfig(`${directory}/config.json`), path), '/some/where')
  }
})

t.test('a socket path that is too long for the system is refused', async (t) => {
  const { directory } = await loaded(t)
  const sockets = paths.filter(({ schema }) => schema.path === 'socket')
  t.not(sockets.length, 0)
  for (const { path } of sockets) {
    const withPath = (bytes: number) =>
      snapshotFrom(changed(path, '/'.padEnd(bytes, 'x')), { baseDir: directory })
    t.doesNotThrow(() => withPath(107))
    const problem = { path: pathText(path), found: 'a path of 108 bytes' }
    t.match(
      thrownBy(() => withPath(108)),
      { problems: [problem] },
    )
  }
})

function thrownBy(load: () => unknown): ConfigError | undefined {
  try {
    load()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  return undefined
}
