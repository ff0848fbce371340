/** Where the ledger is kept, by the settings and by systemd, and where older files are looked for. */
import { join } from 'node:path'
import t from 'tap'
import {
  lastWritesDirectory,
  ledgerDirectory,
  leftLedger,
} from '../../src/ledger/ledger-directory.js'
import { configFrom } from '../../src/settings/load.js'

const configOf = (config: object) => configFrom(JSON.stringify(config))

t.test('the setting decides, then what pins wait in, then systemd', async (t) => {
  const place = t.testdir({})
  const [ledger, journal] = [{ directory: join(place, 'l') }, { directory: join(place, 'j') }]
  const of = (config: object, stateDirectory?: string) =>
    ledgerDirectory(configOf({ journal, ...config }), stateDirectory)
  t.equal(
    of({ ledger, lookBack: { directory: '/older' }, onOutage: 'journal' }, '/s'),
    join(place, 'l'),
  )
  t.equal(of({ lookBack: ledger, onOutage: 'journal' }, '/s'), join(place, 'l'))
  t.equal(of({ onOutage: 'journal' }, '/s'), join(place, 'j'))
  t.equal(of({}, '/s'), '/s')
  t.equal(of({}), undefined)
})

t.test('waiting pins are kept after a change back to refuse', async (t) => {
  for (const name of ['ledger.db', 'journal']) {
    const directory = t.testdir({ [name]: '' })
    t.equal(ledgerDirectory(configOf({ journal: { directory } }), undefined), directory, name)
  }
})

t.test('a ledger in the previous directory is reported if the new one has no ledger', async (t) => {
  const place = t.testdir({ before: { 'ledger.db': '' }, state: { 'ledger.db': '' }, empty: {} })
  const at = (name: string) => ({ directory: join(place, name) })
  const of = (config: object, stateDirectory?: string) =>
    leftLedger(configOf(config), stateDirectory)
  t.equal(of({ ledger: at('empty'), journal: at('before') }), join(place, 'before'))
  t.equal(of({ ledger: at('empty'), journal: at('empty') }, join(place, 'state')), `${place}/state`)
  t.equal(of({ ledger: at('state'), journal: at('before') }), undefined)
  t.equal(of({ journal: at('before') }), undefined)
})

t.test('the last writes of an older release are found', async (t) => {
  const place = t.testdir({
    older: { 'last-writes': '' },
    state: { 'last-writes': '' },
    ledger: {},
  })
  const [older, state, ledger] = ['older', 'state', 'ledger'].map((name) => join(place, name))
  const journal = { directory: ledger }
  const of = (config: object, stateDirectory?: string) =>
    lastWritesDirectory(configOf({ journal, ...config }), stateDirectory)
  t.equal(of({ lookBack: { directory: older } }, state), older)
  t.equal(of({ ledger: { directory: older } }, ledger), older, 'under the new name of the setting')
  t.equal(of({ ledger: { directory: ledger } }, state), state)
  t.equal(of({}), undefined)
})
