/** The probe in one file: what is in it, and its outcomes under each Node that it is to run on. */
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { version } from '../../../src/daemon/version.js'
import { generateKey } from '../../../src/settings/keyring/key.js'
import { askedOf } from '../../support/asked.js'
import { certificate } from '../../support/certificate.js'
import { startGate } from '../../support/start-gate.js'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const file = join(root, 'dist/pinwarden-probe.mjs')
const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const bytesMax = 300_000
// tap gives every child options in NODE_OPTIONS that an older Node does not know.
const [program, ...withoutTap] = ['/usr/bin/env', '-u', 'NODE_OPTIONS'] as const

execFileSync(process.execPath, [join(root, 'deploy/probe/build.js')])
const text = readFileSync(file, 'utf8')

t.test('it is small, imports builtins only, and says what it is and contains', async (t) => {
  t.ok(text.length < bytesMax, `${text.length} bytes`)
  const meta = JSON.parse(readFileSync(join(root, 'dist/probe.meta.json'), 'utf8')) as Metafile
  const imports = Object.values(meta.outputs).flatMap((output) => output.imports)
  t.ok(imports.length > 0)
  t.same(
    imports.map(({ path }) => path).filter((path) => !path.startsWith('node:')),
    [],
  )
  t.notMatch(text, /\brequire\(|__require/)
  t.ok(text.startsWith(`// pinwarden-probe ${version}: `))
  t.match(text.split('\n').slice(0, 2).join(), 'MIT licence')
  t.match(text, /^\/\/ ==== multiformats \d+\.\d+\.\d+ \(Apache-2\.0 OR MIT\)$/m)
  t.match(text, /^\/\/ Copyright \(c\) 2018 base-x contributors$/m)
})

t.test('what it takes from builtins exists in Node 16, so that an older Node reads it', (t) => {
  const taken = [...text.matchAll(/import\{([^}]+)\}from"node:(\w+(?:\/\w+)?)"/g)].flatMap(
    ([, names = '', builtin]) =>
      names.split(',').map((name) => `${builtin}.${name.replace(/ as .+/, '')}`),
  )
  t.ok(taken.length > 0)
  // Before a name is added here: its page in Node's documentation says since when it exists.
  t.same([...new Set(taken)].sort(), [
    ...['dns.promises', 'fs.accessSync', 'fs.constants', 'fs.readFileSync', 'fs.statSync'],
    ...['net.BlockList', 'net.connect', 'net.isIP', 'net.isIPv6', 'path.dirname'],
    ...['tls.checkServerIdentity', 'tls.connect', 'util.getSystemErrorMap'],
    ...['zlib.brotliDecompressSync', 'zlib.unzipSync'],
  ])
  t.end()
})

interface Metafile {
  readonly outputs: Readonly<Record<string, { readonly imports: readonly { path: string }[] }>>
}

const { PINWARDEN_NODE16: node16, PINWARDEN_NODE18: node18 } = process.env
outcomesUnder('this Node', process.execPath)
outcomesUnder('Node 18', node18)

t.test(
  'a Node that is too old gets a one-line error',
  { skip: node16 === undefined && 'the variable PINWARDEN_NODE16 names no Node 16' },
  async (t) => {
    const { code, stdout, stderr } = await run(t, node16 ?? '')
    t.equal(code, 1)
    t.equal(stdout, '')
    t.match(stderr, /^pinwarden: error: Node 16\.\S+ is too old: the probe needs 18 or newer\n$/)
  },
)

function outcomesUnder(name: string, node: string | undefined): void {
  const skip = node === undefined && `the variable PINWARDEN_NODE18 names no ${name}`
  t.test(`under ${name}`, { skip }, async (t) => {
    await outcomes(t, node ?? '')
  })
}

async function outcomes(t: Test, node: string): Promise<void> {
  t.comment(execFileSync(program, [...withoutTap, node, '--version'], { encoding: 'utf8' }).trim())

  t.test('all works: asks, pins and unpins with the endpoint of the environment', async (t) => {
    const gate = await startGate(t)
    const { code, stdout, stderr } = await run(t, node, [cid], { endpoint: withKey(gate) })
    t.equal(stderr, '')
    t.equal(code, 0)
    t.same(stepsIn(stdout), [
      ...['ok endpoint', 'ok dns', 'ok tcp', 'ok id', 'ok status'],
      ...['ok pin', 'ok status', 'ok unpin'],
    ])
    t.match(stdout, /\nall works: alpha at http:\S+ can ask, pin and unpin\n$/)
    t.equal(askedOf(gate.cluster).at(-1), `DELETE /pins/${cid}`)
    t.notMatch(stdout, gate.keys.alpha)
  })

  t.test('all works over TLS with the endpoint of .env and a trusted certificate', async (t) => {
    const gate = await startGate(t, { tls: true })
    const files = {
      '.env': `IPFS_CLUSTER_ENDPOINT="${withKey(gate)}"\n`,
      'ca.pem': certificate.cert,
    }
    const extra = { NODE_EXTRA_CA_CERTS: 'ca.pem' }
    const { code, stdout, stderr } = await run(t, node, [cid], { files, extra })
    t.equal(stderr, '')
    t.equal(code, 0)
    t.match(stdout, /^note {2}endpoint {2}IPFS_CLUSTER_ENDPOINT is the one in \.env$/m)
    t.match(stdout, /^ok {4}tls {7}TLS 1\.3/m)
    t.match(stdout, /^ok {4}unpin/m)
  })

  t.test('an untrusted certificate: the key is not sent', async (t) => {
    const gate = await startGate(t, { tls: true })
    const { code, stdout } = await run(t, node, [cid], { endpoint: withKey(gate) })
    t.equal(code, 1)
    t.same(stepsIn(stdout), ['ok endpoint', 'ok dns', 'ok tcp', 'FAIL tls'])
    t.match(stdout, 'the certificate is self-signed')
    t.same(gate.lines, [])
  })

  t.test('a wrong key', async (t) => {
    const gate = await startGate(t)
    const endpoint = withKey(gate, generateKey())
    const { code, stdout } = await run(t, node, [], { endpoint })
    t.equal(code, 1)
    t.match(stdout, /^FAIL {2}id {8}401, unauthorized: access denied \(request id \S+\)$/m)
  })

  t.test('a key with a typo, and a URL that is malformed', async (t) => {
    const key = generateKey()
    const typo = `${key.slice(0, -1)}${key.endsWith('x') ? 'y' : 'x'}`
    const mistyped = await run(t, node, [], { endpoint: `https://alpha:${typo}@127.0.0.1:1` })
    t.match(mistyped, { code: 1, stdout: /^FAIL {2}endpoint {2}the key has a typo/ })
    const malformed = await run(t, node, [], { endpoint: `https://alpha:${key}@host:port` })
    t.match(malformed, { code: 1, stdout: 'host or port is malformed' })
  })

  t.test('a port that refuses connections, and a name that does not exist', async (t) => {
    const server = createTcpServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const credential = `alpha:${generateKey()}`
    const refused = await run(t, node, [], { endpoint: `http://${credential}@127.0.0.1:${port}` })
    t.match(refused, { code: 1, stdout: `FAIL  tcp       nothing listens at 127.0.0.1:${port}` })
    const nowhere = await run(t, node, [], { endpoint: `http://${credential}@nowhere.invalid` })
    t.match(nowhere, { code: 1, stdout: /^FAIL {2}dns .*nowhere\.invalid/m })
  })

  t.test('answers that are compressed, cut off, or not HTTP', async (t) => {
    const id = JSON.stringify({ peername: 'p', version: '1', cluster_peers: ['p'] })
    const answers: readonly (readonly [Record<string, string>, Buffer, RegExp])[] = [
      [{ 'content-encoding': 'gzip' }, gzipSync(id), /^ok {4}id {8}p, version 1/m],
      [{ 'content-encoding': 'br' }, brotliCompressSync(id), /^ok {4}id {8}p, version 1/m],
      [{ 'content-length': '99' }, Buffer.from('{'), /^FAIL {2}id .*in the middle of its answer/m],
      [{ x: 'x'.repeat(65_536) }, Buffer.from(id), /^FAIL {2}id .*does not speak HTTP/m],
    ]
    for (const [headers, body, words] of answers) {
      const server = createServer((_request, response) => {
        response.writeHead(200, { 'content-length': body.length, 'x-request-id': 'r', ...headers })
        response.write(body, () => response.socket?.end())
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      t.teardown(() => server.close())
      const { port } = server.address() as AddressInfo
      const endpoint = `http://alpha:${generateKey()}@127.0.0.1:${port}`
      t.match((await run(t, node, [], { endpoint })).stdout, words)
    }
  })

  t.test('wrong usage exits with 2, help and version with 0', async (t) => {
    const endpoint = `http://alpha:${generateKey()}@127.0.0.1:1`
    for (const [argv, words] of [
      [['--pin'], 'unknown option --pin'],
      [['nonsense', 'nonsense'], 'this is not a CID'],
      [[endpoint, cid, cid], 'too many arguments: expected a URL and a CID at most'],
    ] as const)
      t.match(await run(t, node, argv), { code: 2, stdout: /^$/, stderr: words })
    t.match(await run(t, node), { code: 2, stderr: 'there is no endpoint to probe\nhint: ' })
    const help = await run(t, node, ['--help'])
    t.match(help, { code: 0, stdout: /^Usage: node pinwarden-probe\.mjs/, stderr: /^$/ })
    t.match(help.stdout, 'from the file .env in the current directory')
    t.same(await run(t, node, ['-V']), { code: 0, stdout: `${version}\n`, stderr: '' })
  })
}

interface Surroundings {
  readonly endpoint?: string
  readonly extra?: Readonly<Record<string, string>>
  /** Of the directory it is run in. */
  readonly files?: Readonly<Record<string, string>>
}

interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

async function run(
  t: Test,
  node: string,
  argv: readonly string[] = [],
  { endpoint, extra, files = {} }: Surroundings = {},
): Promise<Result> {
  const env = { ...extra, ...(endpoint !== undefined && { IPFS_CLUSTER_ENDPOINT: endpoint }) }
  return new Promise((resolve) => {
    const options = { cwd: t.testdir(files), env }
    const child = execFile(
      program,
      [...withoutTap, node, file, ...argv],
      options,
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode, stdout, stderr })
      },
    )
  })
}

const withKey = (
  { url, keys }: { readonly url: string; readonly keys: Readonly<Record<string, string>> },
  key = keys.alpha ?? '',
): string => url.replace('//', `//alpha:${key}@`)

/** Without notes. */
const stepsIn = (stdout: string): string[] =>
  [...stdout.matchAll(/^(ok|FAIL|skip) +(\w+)/gm)].map(([, mark, step]) => `${mark} ${step}`)
