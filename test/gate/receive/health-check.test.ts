/** `listen.healthPath`: the one request that is answered before it is known who asks. */
import { atOnce } from '../../../src/time/slices.js'
import t from 'tap'
import { rulesBroken } from '../../../src/settings/rules.js'
import { limitFiles } from '../../support/full-disk.js'
import { exchange, head, statuses } from '../../support/raw.js'
import { startGate } from '../../support/start-gate.js'
import { snapshotFrom } from '../../support/snapshot-from.js'

const healthPath = '/balancer'

t.test('without the setting its path is like any other: 401', async (t) => {
  const gate = await startGate(t)
  t.equal((await fetch(gate.url + healthPath)).status, 401)
})

t.test('it answers without a credential, and reveals nothing else', async (t) => {
  const gate = await startGate(t, { listen: { healthPath } })
  for (const method of ['GET', 'HEAD']) {
    const answer = await fetch(gate.url + healthPath, { method })
    t.equal(answer.status, 200)
    t.equal(await answer.text(), '')
    t.same([...answer.headers.keys()].sort(), [
      ...['cache-control', 'connection', 'content-length', 'date', 'x-request-id'],
    ])
  }
  t.same(
    gate.cluster.requests.filter(({ target }) => !/health|version/.test(target)),
    [],
  )
  const line = await gate.line()
  t.match(line, { outcome: 'checked', status: 200, route: healthPath, path: healthPath })
  t.equal(line.encoder, undefined)
})

t.test('only GET or HEAD of exactly that path is an exception', async (t) => {
  const gate = await startGate(t, { listen: { healthPath } })
  for (const path of ['/id', '/pins', '/balancer/', '/balancer?x=1', '//balancer', '/Balancer'])
    t.equal((await fetch(gate.url + path)).status, 401, path)
  for (const method of ['POST', 'DELETE', 'OPTIONS'])
    t.equal((await fetch(gate.url + healthPath, { method })).status, 401, method)
})

t.test('ambiguous framing is also refused there', async (t) => {
  const gate = await startGate(t, { listen: { healthPath } })
  const two = head(`GET ${healthPath} HTTP/1.1`, 'Host: a', 'Host: b')
  t.same(statuses(await exchange(gate.url, two)), [400])
  const pipelined = head(`GET ${healthPath} HTTP/1.1`, 'Host: a')
  t.same(statuses(await exchange(gate.url, pipelined.repeat(3))), [200], 'one, then it closes')
})

t.test('it is 503 while no endpoint of the cluster is available', async (t) => {
  const gate = await startGate(t, { listen: { healthPath } })
  await gate.cluster.close()
  while ((await fetch(gate.url + healthPath)).status === 200) await gate.ask('GET', '/id')
  const answer = await fetch(gate.url + healthPath)
  t.equal(answer.status, 503)
  t.equal(await answer.text(), '')
})

t.test('it is 503, and the gate not ready, while the disk of the ledger is full', async (t) => {
  const gate = await startGate(t, { listen: { healthPath }, stateDirectory: t.testdir({}) })
  const cid = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'
  t.same(gate.obstacles(), [])
  limitFiles(4096)
  t.teardown(() => {
    limitFiles('unlimited')
  })
  while ((await gate.ask('POST', `/pins/${cid}`)).status === 200);
  t.same(gate.obstacles(), ['ledger'], 'which /readyz, the status and its page say')
  t.equal((await fetch(gate.url + healthPath)).status, 503)
})

t.test('each address has its own budget, apart from those of encoders', async (t) => {
  const gate = await startGate(t, { listen: { healthPath, trustProxy: ['127.0.0.1'] } })
  const check = async (client: string) => {
    const headers = { 'x-forwarded-for': client }
    return (await fetch(gate.url + healthPath, { headers })).status
  }
  const seen = []
  for (let count = 0; count < 31; count++) seen.push(await check('192.0.2.1'))
  t.same(seen, [...Array.from({ length: 30 }, () => 200), 429])
  t.equal(await check('192.0.2.2'), 200, 'another address has its own')
  const headers = { 'x-forwarded-for': '192.0.2.1', authorization: gate.basic() }
  t.equal((await fetch(`${gate.url}/id`, { headers })).status, 200)
  const wrong = { 'x-forwarded-for': '192.0.2.1' }
  t.equal((await fetch(`${gate.url}/id`, { headers: wrong })).status, 401, 'nor counts it failures')
})

t.test('a path of the cluster is refused by the settings', async (t) => {
  const config = (path: string) => ({
    cluster: { endpoints: [{ url: 'http://127.0.0.1:9094' }] },
    listen: { healthPath: path },
  })
  for (const path of ['/id', '/pins', '/pins/a', 'health', '/', '/a?b'])
    t.throws(() => snapshotFrom(config(path), { baseDir: '/' }), /healthPath/, path)
  t.same(atOnce(rulesBroken(snapshotFrom(config(healthPath), { baseDir: '/' }).config)), [])
})
