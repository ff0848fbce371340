/** How `pinwarden probe` reads the `.env` of an encoder. */
import { join } from 'node:path'
import t from 'tap'
import { probe } from '../../../src/cli/probe/probe.js'
import { readEnvFile } from '../../../src/cli/probe/env-file.js'
import { CommandError } from '../../../src/cli/report.js'

const text = `\uFEFFFIRST=behind a byte order mark
IPFS_CLUSTER_ENDPOINT=https://alpha:key@host:9098
  SPACES  =  around it \t
export EXPORTED=yes
EMPTY=
# COMMENT=no
COMMENTED=yes # and why
DOUBLE="with # and spaces "  # and why
SINGLE='with "others" in it'
BACKTICK=\`with 'others' in it\`
LINES="one
two"
UNCLOSED="one
NOT CLEAN=no
no assignment
TWICE=one
TWICE=two
WINDOWS=yes\r
LAST=yes`

t.test('assignments are read as dotenv reads them, and other lines are ignored', async (t) => {
  const path = join(t.testdir({ '.env': text }), '.env')
  t.same(readEnvFile(path), {
    FIRST: 'behind a byte order mark',
    IPFS_CLUSTER_ENDPOINT: 'https://alpha:key@host:9098',
    SPACES: 'around it',
    EXPORTED: 'yes',
    EMPTY: '',
    COMMENTED: 'yes',
    DOUBLE: 'with # and spaces ',
    SINGLE: 'with "others" in it',
    BACKTICK: "with 'others' in it",
    LINES: 'one\ntwo',
    UNCLOSED: '"one',
    TWICE: 'two',
    WINDOWS: 'yes',
    LAST: 'yes',
  })
})

t.test('a missing file, or a directory of that name, has no variables', async (t) => {
  const directory = t.testdir({ file: '' })
  t.same(readEnvFile(join(directory, '.env')), {})
  t.same(readEnvFile(directory), {})
  t.throws(() => readEnvFile(join(directory, 'file/.env')), CommandError)
})

t.test('the environment takes precedence over the file, as it does for the encoder', async (t) => {
  const envFile = join(t.testdir({ '.env': text }), '.env')
  let said = ''
  const sink = { write: (part: string) => (said += part) }
  const env = { IPFS_CLUSTER_ENDPOINT: 'ftp://other' }
  t.equal(await probe({ url: undefined, cid: undefined, envFile }, { ...io(sink), env }), 1)
  t.match(said, 'the scheme ftp')
  t.equal(await probe({ url: undefined, cid: undefined, envFile }, { ...io(sink), env: {} }), 1)
  t.match(said, 'the key is incomplete')
})

const io = (sink: { write: (part: string) => string }) => ({ stdout: sink, stderr: sink })
