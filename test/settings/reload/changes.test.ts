/** Every field of the configuration, and every file it names: a change is taken, or it is named. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadSettings } from '../../../src/settings/load.js'
import { leaseIdOf } from '../../../src/settings/values/lease-id.js'
import { pathText } from '../../../src/settings/problems.js'
import { certificate, otherCertificate } from '../../support/certificate.js'
import {
  at,
  changed,
  config,
  leaves,
  loaded,
  otherOf,
  reloaded,
} from '../../support/every-field.js'

t.test('no field changes silently: changed and waiting fields are named', async (t) => {
  const { live: settings, write } = await loaded(t)
  for (const { path, schema, restart } of leaves) {
    const name = path.join('.')
    write(config)
    await settings.reload()
    write(changed(path, otherOf(name, schema, at(settings.current().config, path))))
    const { sections, encoders, needRestart, hasNewTls } = await reloaded(settings)
    const field = (one: string) => name === one || name.startsWith(`${one}.`)
    const isNamed = sections.some(field) || (path[0] === 'encoders' && encoders.length > 0)
    const isWaiting = needRestart.some(field)
    t.ok(isNamed || isWaiting, `${name} is named`)
    t.equal(isWaiting, restart, `${name} waits as the schema says`)
    t.same(settings.state.needRestart, needRestart, `${name}: status shows what waits`)
    if (name === 'listen.tls.minVersion') t.ok(hasNewTls, 'the listener gets another version')
  }
})

t.test('each file is watched, and another content is named by its field', async (t) => {
  const { live: settings, directory } = await loaded(t)
  const watched = leaves.filter(({ schema }) => schema.watch === true)
  const { fileDigests } = await loadSettings(join(directory, 'config.json'))
  const fields = watched.map(({ path }) => pathText(path))
  t.same([...fileDigests.keys()].sort(), [...fields].sort(), 'those are read, and no others')
  for (const { path } of watched) {
    const field = pathText(path)
    const file = String(at(settings.current().config, path))
    t.ok(settings.files.includes(file), `${field} is watched`)
    const isPair = field.startsWith('listen.tls.')
    const content = field.endsWith('passwordFile') ? 'two' : otherCertificate.cert
    writeFileSync(file, content)
    // A certificate goes with its key.
    if (isPair) {
      writeFileSync(join(directory, 'cert.pem'), otherCertificate.cert)
      writeFileSync(join(directory, 'key.pem'), otherCertificate.key)
    }
    const { files: changed, needRestart } = await reloaded(settings)
    t.ok(changed.includes(field), `${field} is named`)
    t.same(needRestart, [], `${field} is taken`)
    if (isPair) {
      writeFileSync(join(directory, 'cert.pem'), certificate.cert)
      writeFileSync(join(directory, 'key.pem'), certificate.key)
      await settings.reload()
    }
  }
})

t.test('a waiting field waits until the restart, or until it is changed back', async (t) => {
  const { live: settings, write } = await loaded(t)
  write(changed(['store', 'timeoutMs'], 99))
  t.same((await reloaded(settings)).needRestart, ['store'])
  t.same((await reloaded(settings)).needRestart, ['store'], 'a reload without a change')
  write({ ...config, listen: {} })
  t.same((await reloaded(settings)).needRestart, ['listen.tls'])
  write(config)
  t.same((await reloaded(settings)).needRestart, [])
})

t.test('a part of listen that waits keeps its value, and the others get theirs', async (t) => {
  const { live: settings, write } = await loaded(t)
  const { certFile } = settings.current().config.listen.tls ?? {}
  const tls = { ...config.listen.tls, minVersion: 'TLSv1.3' }
  write({ ...config, listen: { port: 9099, tls } })
  await reloaded(settings)
  const { listen } = settings.current().config
  t.match(listen, { port: 9098, tls: { certFile, minVersion: 'TLSv1.3' } })
  t.throws(() => Object.assign(listen, { port: 1 }), 'it stays as it is')
  t.throws(() => Object.assign(listen.tls ?? {}, { certFile: '' }))
})

t.test('an encoder that another leaseId parts from its pins is named', async (t) => {
  const { live: settings, write } = await loaded(t)
  const [name = ''] = Object.keys(settings.current().config.encoders)
  const reloadWith = async (leaseId: string | undefined) => {
    write(changed(['encoders', name, 'leaseId'], leaseId))
    return settings.reload()
  }
  const both = { leaseIdsChanged: [name], encodersChanged: [name] }
  t.match(await reloadWith('n3n3n3n3n3n3'), { changes: both })
  t.match(await reloadWith(undefined), { changes: both }, 'it is derived from the name then')
  const outcome = await reloadWith(leaseIdOf(name))
  t.match(outcome, { changes: { encodersChanged: [name] } })
  t.notMatch(outcome, { changes: { leaseIdsChanged: [name] } }, 'the same, written out')
})
