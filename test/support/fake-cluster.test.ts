/** The traps of the cluster's API that the gate has to know, pinned down in its fake. */
import { base16 } from 'multiformats/bases/base16'
import { base32hex } from 'multiformats/bases/base32'
import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import t, { type Test } from 'tap'
import {
  type FakeCluster,
  type FakeClusterOptions,
  peerId,
  startFakeCluster,
} from './fake-cluster/index.js'
import { cidBytes } from './fake-cluster/cids.js'
import { exchange } from './raw.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const cidV1 = 'bafybeidskjjd4zmr7oh6ku6wp72vvbxyibcli2r6if3ocdcy7jjjusvl2u'

async function start(t: Test, options?: FakeClusterOptions): Promise<FakeCluster> {
  const cluster = await startFakeCluster(options)
  t.teardown(() => cluster.close())
  return cluster
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly text: string
}

/** Asks on a connection of its own and takes the answer apart, bytes as they are. */
async function ask(cluster: FakeCluster, line: string, ...headers: string[]): Promise<Answer> {
  const head = [`${line} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', '']
  const bytes = await exchange(cluster.url, head.join('\r\n'))
  const end = bytes.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = bytes.slice(0, end).split('\r\n')
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: Object.fromEntries(
      lines.map((text) => {
        const colon = text.indexOf(': ')
        return [text.slice(0, colon), text.slice(colon + 2)]
      }),
    ),
    text: bytes.slice(end + 4),
  }
}

const without = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'Date'))
const answered = { 'Content-Type': 'application/json', Vary: 'Origin', Connection: 'close' }

t.test('an empty listing is 204, and still announces a trailer', async (t) => {
  const cluster = await start(t)
  for (const path of ['/pins', '/allocations', '/pins?local=true']) {
    const { status, headers, text } = await ask(cluster, `GET ${path}`)
    t.equal(status, 204)
    t.same(without(headers), { ...answered, Trailer: 'X-Stream-Error' })
    t.equal(text, '')
  }
})

t.test('a listing is one chunk a line, with an empty trailer when all was well', async (t) => {
  const cluster = await start(t)
  cluster.addPin(cid, { name: 'a<b' })
  cluster.addPin(cidV1)
  const { status, headers, text } = await ask(cluster, 'GET /pins')
  t.equal(status, 200)
  t.match(headers, { 'Transfer-Encoding': 'chunked', Trailer: 'X-Stream-Error' })
  const [first = '', second = '', ...rest] = text.split(/^[0-9a-f]+\r\n/m).slice(1)
  t.match(first, /^{"cid":"Qm.*"name":"a\\u003cb".*}\n\r\n$/)
  t.match(second, /^{"cid":"baf.*}\n\r\n$/)
  t.same(rest, ['X-Stream-Error: \r\n\r\n'])
})

t.test('a bad option is answered 400 and acted upon: two JSON lines', async (t) => {
  const cluster = await start(t)
  const pinned = await ask(cluster, `POST /pins/${cid}?name=n&expire-in=bad&meta-a=b`)
  t.equal(pinned.status, 400)
  const [error = '', pin = '', ...rest] = pinned.text.split('\n')
  t.same(JSON.parse(error), {
    code: 400,
    message: 'expire-in cannot be parsed: time: invalid duration "bad"',
  })
  t.match(JSON.parse(pin), { cid, name: 'n', metadata: null, expire_at: '0001-01-01T00:00:00Z' })
  t.same(rest, [''])
  t.match(cluster.pins.get(cid), { name: 'n', metadata: null })

  const unpinned = await ask(cluster, `DELETE /pins/${cid}?replication=x`)
  t.equal(unpinned.status, 400)
  t.match(unpinned.text, /^{"code":400,"message":"parameter replication-min invalid"}\n{"rep/)
  t.notOk(cluster.pins.has(cid))
})

t.test('POST replaces the whole record', async (t) => {
  const cluster = await start(t)
  await ask(cluster, `POST /pins/${cid}?name=n&meta-b=2&meta-10=x&meta-9=y&expire-in=72h`)
  const stored = await ask(cluster, `GET /allocations/${cid}`)
  t.match(stored.text, '"metadata":{"10":"x","9":"y","b":"2"}', 'keys sorted as text')
  t.notMatch(stored.text, '0001-01-01')
  const { text } = await ask(cluster, `POST /pins/${cid}`)
  t.match(JSON.parse(text), { name: '', metadata: {}, origins: null, max_depth: -1 })
  const after = JSON.parse((await ask(cluster, `GET /allocations/${cid}`)).text) as object
  t.match(after, { name: '', metadata: null, origins: [], expire_at: '0001-01-01T00:00:00Z' })
})

t.test('a Pin has all its fields in their order', async (t) => {
  const cluster = await start(t)
  const { text, headers } = await ask(cluster, `POST /pins/${cid}`)
  t.match(headers, { 'Content-Length': String(text.length), Date: / GMT$/ })
  t.match(text.replace(/T[\d:]+\.\d+Z"}\n$/, '"}'), /"timestamp":"\d{4}-\d\d-\d\d"}$/)
  t.equal(
    text.replace(/"timestamp.*\n/s, ''),
    '{"replication_factor_min":-1,"replication_factor_max":-1,"name":"","mode":"recursive",' +
      '"shard_size":0,"user_allocations":null,"expire_at":"0001-01-01T00:00:00Z","metadata":{},' +
      `"pin_update":null,"origins":null,"cid":"${cid}","type":"pin","allocations":[],` +
      '"max_depth":-1,"reference":null,',
  )
})

t.test('mode=direct is echoed on the plain route, and obeyed on the path route only', async (t) => {
  const cluster = await start(t)
  const plain = await ask(cluster, `POST /pins/${cid}?mode=direct`)
  t.match(JSON.parse(plain.text), { mode: 'direct', max_depth: -1 })
  t.match(cluster.pins.get(cid), { mode: 'recursive' })
  const again = await ask(cluster, `POST /pins/ipfs/${cid}?mode=direct`)
  t.equal(again.status, 500)
  t.match(again.text, 'cannot repin a CID which is already pinned in recursive mode')
  await ask(cluster, `POST /pins/ipfs/${cidV1}?mode=direct`)
  t.match(cluster.pins.get(cidV1), { mode: 'direct', maxDepth: 0 })
  t.match((await ask(cluster, 'GET /pins?filter=unexpectedly_unpinned')).text, cidV1)
  t.match((await ask(cluster, `GET /pins/${cidV1}`)).text, '"status":"pinned"')
})

t.test('slashes and dots are redirected before any route, after authentication', async (t) => {
  const cluster = await start(t)
  const cases: [ask: string, status: number, location: string, body: string][] = [
    ['GET /id/?a=b', 307, '/id?a=b', '<a href="/id?a=b">Temporary Redirect</a>.\n\n'],
    ['POST /nowhere/', 307, '/nowhere', ''],
    ['GET /', 307, '/', '<a href="/">Temporary Redirect</a>.\n\n'],
    ['POST //host/', 307, '//host', ''],
    [`POST /pins/${cid}%2F`, 307, `/pins/${cid}`, ''],
    ['POST //pins/X', 301, '/pins/X', ''],
    ['GET /pins/./X?q=1', 301, '/pins/X?q=1', ''],
    ['GET /a/%2e%2e/id', 301, '/id', ''],
    [`POST /pins/%2Fipfs%2F${cid}`, 301, `/pins/ipfs/${cid}`, ''],
  ]
  for (const [line, status, location, body] of cases) {
    const answer = await ask(cluster, line)
    t.same([answer.status, answer.headers.Location, answer.text], [status, location, body], line)
    t.equal(answer.headers['Content-Length'], String(body.length), line)
    if (body === '') t.notOk(answer.headers['Content-Type'], line)
  }
  t.equal(await exchange(cluster.url, 'GET // HTTP/1.1\r\nHost: x\r\n\r\n'), '', 'a panic')
  const closed = await start(t, { username: 'u', password: 'p' })
  t.equal((await ask(closed, 'GET /id/')).status, 401)
})

t.test('paths are decoded before they are matched, and CIDs read in any spelling', async (t) => {
  const cluster = await start(t)
  cluster.addPin(cid)
  cluster.setStatus(cid, 'pin_error', 'context canceled')
  const { status, text } = await ask(cluster, `POST /pins/${cid}%2Frecover`)
  t.equal(status, 200)
  t.match(text, '"status":"pin_queued"', 'this is the recover route')
  t.match((await ask(cluster, `GET /pins/%51${cid.slice(1)}`)).text, `{"cid":"${cid}"`)
  t.match((await ask(cluster, `GET /pins/z${cid}`)).text, `{"cid":"${cid}"`)
  const bytes = cidBytes(cidV1)
  const spellings = [`u${Buffer.from(bytes).toString('base64url')}`, base32hex.encode(bytes)]
  spellings.push(base58btc.encode(bytes), base36.encode(bytes), base16.encode(bytes))
  for (const text of spellings) {
    const { text: line } = await ask(cluster, `GET /pins/${encodeURIComponent(text)}`)
    t.match(line, `{"cid":"${cidV1}"`, text)
  }
  const upper = cidV1.toUpperCase()
  t.match((await ask(cluster, `GET /pins/${upper}`)).text, `{"cid":"${cidV1}"`)
  t.match((await ask(cluster, `GET /pins/${upper}`)).text, '"status":"unpinned"', 'v1 is not v0')
  t.equal((await ask(cluster, `POST /pins/ipfs%2F${cid}`)).status, 200)
  t.equal((await ask(cluster, `GET /pins/ipfs%2F${cid}`)).status, 404)
})

t.test('bad CIDs get the messages of go-cid', async (t) => {
  const cluster = await start(t)
  const cases: [cid: string, why: string][] = [
    ['a', 'cid too short'],
    ['abcd', 'selected encoding not supported'],
    ['recover', 'selected encoding not supported'],
    [`${cid}X`, 'selected encoding not supported'],
    [`${cid.slice(0, -1)}0`, "input isn't valid multihash"],
    [cidV1.slice(0, -4), 'invalid cid: length greater than remaining number of bytes in buffer'],
    [`${cidV1.slice(0, -1)}1`, 'illegal base32 data at input byte 57'],
    ['f00551200', 'invalid cid: expected 1 as the cid version number, got: 0'],
    ['f015500000a', 'trailing bytes in data buffer passed to cid Cast'],
  ]
  for (const [text, why] of cases) {
    const answer = await ask(cluster, `GET /pins/${text}`)
    t.equal(answer.status, 400, text)
    t.same(JSON.parse(answer.text), {
      code: 400,
      message: `error decoding Cid: invalid cid: ${why}`,
    })
  }
  t.match(
    (await ask(cluster, 'POST /pins/ipfs/xyz')).text,
    'error parsing path: invalid path \\"/ipfs/xyz\\": invalid cid: selected encoding',
  )
})

t.test('404 and 405 follow the quirks of the router', async (t) => {
  const cluster = await start(t)
  const missing = ['GET /x', 'POST /id', 'DELETE /pins', `GET /pins/ipfs/${cid}`, 'GET /token']
  missing.push(`GET /pins/${cid}/recover`, 'POST /health/graph', 'GET /ID')
  for (const line of missing) {
    const answer = await ask(cluster, line)
    t.equal(answer.status, 404, line)
    t.equal(answer.text, '{"code":404,"message":"not found"}\n')
  }
  const wrong = ['PUT /id', 'OPTIONS /pins', 'PATCH /pins', 'POST /health', 'DELETE /health']
  wrong.push('DELETE /ipfs/gc', 'DELETE /token', 'DELETE /monitor/metrics')
  for (const line of wrong) {
    const answer = await ask(cluster, line)
    t.equal(answer.status, 405, line)
    t.same(without(answer.headers), { Vary: 'Origin', 'Content-Length': '0', Connection: 'close' })
  }
  for (const line of ['GET /pins/recover', 'POST /pins/ipfs', 'POST /pins/ipfs/recover']) {
    t.equal((await ask(cluster, line)).status, 400, line)
  }
})

t.test('recovering an unpinned CID is not an error, unless it is local', async (t) => {
  const cluster = await start(t)
  t.match((await ask(cluster, `POST /pins/${cid}/recover`)).text, '"status":"unpinned"')
  t.equal((await ask(cluster, `POST /pins/${cid}/recover?local=true`)).status, 404)
})

t.test('a longer path is resolved to another CID, by Kubo', async (t) => {
  const cluster = await start(t)
  const plain = await ask(cluster, `POST /pins/ipld/${cid}`)
  t.match(JSON.parse(plain.text), { cid })
  const longer = await ask(cluster, `POST /pins/ipfs/${cid}/a/b`)
  t.match(JSON.parse(longer.text), { cid: /^baf/ })
  t.equal((await ask(cluster, `DELETE /pins/ipfs/${cid}/a/b`)).status, 200)
  cluster.kuboDown = true
  t.equal((await ask(cluster, `POST /pins/ipfs/${cid}/a/b`)).status, 500)
})

t.test('every other route can be reached, so that a leak shows', async (t) => {
  const cluster = await start(t)
  const lines = ['GET /version', 'GET /peers', 'POST /ipfs/gc', 'GET /health/graph']
  lines.push('GET /health/alerts', 'GET /health/bandwidth', 'GET /monitor/metrics')
  lines.push('GET /monitor/metrics/ping')
  for (const line of lines) t.equal((await ask(cluster, line)).status, 200, line)
  t.equal((await ask(cluster, 'GET /health')).status, 204)
  t.equal((await ask(cluster, 'POST /token')).status, 401)
  t.equal((await ask(cluster, `DELETE /peers/${peerId}`)).status, 500)
  t.equal((await ask(cluster, 'DELETE /peers/x')).status, 400)
  t.equal((await ask(cluster, 'POST /add', 'Content-Type: multipart/form-data')).status, 200)
  t.equal((await ask(cluster, 'POST /add')).status, 400)
})

t.test('authentication challenges as the cluster does', async (t) => {
  const cluster = await start(t, { username: 'u', password: 'p:w' })
  const basic = (text: string) => `Authorization: Basic ${Buffer.from(text).toString('base64')}`
  const none = await ask(cluster, 'GET /nowhere')
  t.equal(none.status, 401)
  t.equal(none.text, '{"code":401,"message":"unauthorized: no auth provided"}\n')
  t.match((await ask(cluster, 'GET /id', basic('u:x'))).text, 'unauthorized: access denied')
  t.equal((await ask(cluster, 'GET /id', basic('u:p:w'))).status, 200)
  t.match(
    (await ask(cluster, 'GET /id', basic('u'))).text,
    'no auth provided',
    'unreadable is none',
  )
  t.equal((await ask(cluster, 'GET /health')).status, 204)
  const { text } = await ask(cluster, 'POST /token', basic('u:p:w'))
  const { token } = JSON.parse(text) as { token: string }
  t.equal((await ask(cluster, 'GET /id', `Authorization: Bearer ${token}`)).status, 200)
  t.match((await ask(cluster, 'GET /id', 'Authorization: Bearer x')).text, 'invalid token')
})

t.test('replication that cannot be is 500, and unpinning what is not pinned 404', async (t) => {
  const cluster = await start(t)
  const cases: [query: string, why: string][] = [
    ['replication-min=1', 'cluster.replication_factor_min is larger than max'],
    ['replication-max=2', 'cluster.replication_factor_min and max must be -1 when one'],
    ['replication=-2', 'cluster.replication_factor_min is wrong'],
    ['replication=2', 'not enough peers to allocate CID. Needed at least: 2. Wanted at most: 2.'],
    ['expire-at=2001-01-01T00:00:00Z', 'pin.ExpireAt set before current time'],
    ['name=%ff', 'invalid UTF-8'],
  ]
  for (const [query, why] of cases) {
    const answer = await ask(cluster, `POST /pins/${cid}?${query}`)
    t.equal(answer.status, 500, query)
    t.match(answer.text, why)
  }
  t.equal(cluster.pins.size, 0)
  const answer = await ask(cluster, `DELETE /pins/${cid}`)
  t.equal(answer.status, 404)
  t.equal(answer.text, '{"code":404,"message":"pin is not part of the pinset"}\n')
})

t.test('pin-update copies the other record, but for a name and a later expiry', async (t) => {
  const cluster = await start(t)
  const update = `POST /pins/${cidV1}?pin-update=${cid}&meta-x=y`
  t.equal((await ask(cluster, update)).status, 404)
  cluster.addPin(cid, { name: 'old', metadata: new Map([['k', 'v']]) })
  const { text } = await ask(cluster, update)
  t.match(JSON.parse(text), { name: 'old', metadata: { k: 'v' }, pin_update: cid, cid: cidV1 })
  t.ok(cluster.pins.has(cid))
})

t.test('filters pick by status; cids ignore them, and one bad CID refuses all', async (t) => {
  const cluster = await start(t)
  cluster.addPin(cid)
  cluster.addPin(cidV1, { status: 'pin_error', error: 'context canceled' })
  const lines = async (query: string) => (await ask(cluster, `GET /pins?${query}`)).text
  t.match(await lines('filter=error,%20nonsense'), cidV1)
  t.notMatch(await lines('filter=error'), cid)
  t.match(await lines('filter=pinned'), cid)
  for (const filter of ['all', 'undefined', 'x', ',']) {
    t.match(await lines(`filter=${filter}`), '{"code":400,"message":"invalid filter value"}')
  }
  const both = await lines(`filter=x&cids=${cid},${cid}`)
  t.equal(both.match(/{"cid"/g)?.length, 2)
  t.match(await lines(`cids=${cid},`), 'error decoding Cid: invalid cid: cid too short')
})

t.test('without Kubo a listing looks empty, a local one fails, a status is an error', async (t) => {
  const cluster = await start(t)
  cluster.addPin(cid, { name: 'n' })
  cluster.kuboDown = true
  t.equal((await ask(cluster, 'GET /pins')).status, 204)
  const local = await ask(cluster, 'GET /pins?local=true')
  t.equal(local.status, 500)
  t.match(local.headers, { Trailer: 'X-Stream-Error', 'Transfer-Encoding': 'chunked' })
  t.match(local.text, '"message":"could not get pinset from IPFS: Post ')
  t.match(local.text, /\r\n0\r\n\r\n$/, 'no trailer, though one was announced')
  const status = await ask(cluster, `GET /pins/${cid}`)
  t.match(status.text, '"status":"cluster_error"')
  t.match(status.text, '"name":"","allocations":null', 'and nothing of the pin itself')
  const own = await ask(cluster, `GET /pins/${cid}?local=true`)
  t.match(own.text, '"name":"n","allocations":[]')
  const id = await ask(cluster, 'GET /id')
  t.match(JSON.parse(id.text), { error: '', ipfs: { addresses: null, error: /refused/ } })
  t.equal((await ask(cluster, `POST /pins/${cidV1}`)).status, 200)
})

t.test('what is being unpinned shows locally and in the cheap filters only', async (t) => {
  const cluster = await start(t)
  cluster.setStatus(cid, 'unpin_error', 'boom')
  t.match((await ask(cluster, `GET /pins/${cid}`)).text, '"status":"unpinned"')
  t.match((await ask(cluster, `GET /pins/${cid}?local=true`)).text, '"status":"unpin_error"')
  t.match((await ask(cluster, 'GET /pins?filter=unpin_error')).text, cid)
  t.equal((await ask(cluster, 'GET /pins')).status, 204)
  t.match((await ask(cluster, 'POST /pins/recover')).text, '"status":"unpin_queued"')
  t.equal((await ask(cluster, 'POST /pins/recover')).status, 204)
})

t.test('pins by the hundred thousand can be listed, found and removed', async (t) => {
  const cluster = await start(t)
  cluster.addMany(100_000)
  t.equal(cluster.pins.size, 100_000)
  let listed = 0
  let last = ''
  for (const known of cluster.pins.keys()) {
    listed++
    last = known
  }
  t.equal(listed, 100_000)
  t.match((await ask(cluster, `GET /pins/${last}`)).text, '"status":"pinned"')
  t.equal((await ask(cluster, `DELETE /pins/${last}`)).status, 200)
  t.notOk(cluster.pins.has(last))
  t.equal((await ask(cluster, `POST /pins/${last}?name=again`)).status, 200)
  t.equal(cluster.pins.size, 100_000)
})
