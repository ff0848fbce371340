/** CIDs in every spelling, and text that is not a CID. */
import { base2 } from 'multiformats/bases/base2'
import { base16 } from 'multiformats/bases/base16'
import { base32hex } from 'multiformats/bases/base32'
import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { base64 } from 'multiformats/bases/base64'
import { base256emoji } from 'multiformats/bases/base256emoji'
import { cidBytes, printCid } from '../../support/fake-cluster/cids.js'
import { ask, type Contents, type Step } from './step.js'

/** The canonical spelling, and every other one. */
export function spellings({ v0, v1 }: Contents): Step[] {
  const bytes = cidBytes(v1)
  const texts = [
    v0,
    v1,
    `z${v0}`,
    printCid(Buffer.concat([Buffer.from([1, 0x70]), cidBytes(v0)])),
    v1.toUpperCase(),
    `B${v1.slice(1)}`,
    `${v1.slice(0, 10)}${v1.slice(10).toUpperCase()}`,
    base16.encode(bytes),
    `F${base16.encode(bytes).slice(1).toUpperCase()}`,
    base32hex.encode(bytes),
    base36.encode(bytes),
    base36.encode(bytes).toUpperCase(),
    base58btc.encode(bytes),
    base64.encode(bytes),
    `u${Buffer.from(bytes).toString('base64url')}`,
    base2.encode(bytes),
    base256emoji.encode(bytes),
    'bafkqaaa',
    'k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8',
    'baeaaaaaa',
    'bafyreigaknpexyvxt76zgkitavbwx6ejgfheup5oybpm77f3pxzrvwpfdi',
    'QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn',
  ]
  return [
    ...texts.map((text) => ask(`GET /pins/${encodeURIComponent(text)}`)),
    ask(`GET /pins/%51${v0.slice(1)}`),
    ask(`GET /pins/${v0.replace('Q', '%51')}?local=true`),
  ]
}

export function badCids({ v0, v1 }: Contents): Step[] {
  const texts = [
    'a',
    'ab',
    'abcd',
    'recover',
    'QmTooShort',
    `${v0}X`,
    `q${v0.slice(1)}`,
    `${v0.slice(0, -1)}0`,
    `Qm${'1'.repeat(44)}`,
    `Qm${'z'.repeat(44)}`,
    '12D3KooWG395pxKwfAyFr4uzVdKNTWNXucp3v9yVGucYKZ5PhBC4',
    'hello',
    v1.slice(0, -4),
    v1.slice(0, 10),
    `${v1.slice(0, -1)}1`,
    `${v1}a`,
    `${v1}aaaa`,
    `${v1.slice(0, 12)}é${v1.slice(12)}`,
    'f00551200',
    'f015500000a',
    'f01',
    'f0',
    'fg0',
    'f0155',
    'f015512',
    'f01551220',
    'f0255121201',
    'f018000',
    'f01ffffffffffffffffffff01',
    'f1220aa',
    'f12200000000000000000000000000000000000000000000000000000000000000000',
    'f1220000000000000000000000000000000000000000000000000000000000000000000',
    'z0',
    'zQm',
    'kA!',
    'm*',
    'mA',
    'u+/',
    'U',
    '02',
    '00000000',
    '7',
    '9123',
    '🚀a',
    '\0',
    '\xff',
    '\0\x01',
    ' ',
    `${v0} `,
    `${v0}?`,
    `${v0};x`,
    '<&>',
    'k51qzi5uqu5d',
    'c2222',
    'vvvv',
    'h111',
    'C',
    'p1',
    '"',
  ]
  return [
    ...texts.map((text) => ask(`GET /pins/${escaped(text)}`)),
    ask(`POST /pins/${v0}X`),
    ask('DELETE /pins/abcd'),
    ask('GET /allocations/abcd'),
    ask('POST /pins/abcd/recover'),
    ask(`POST /pins/abcd?replication=x`),
    ask('GET /pins/%FF%FE'),
    ask('POST /pins/ipfs/xyz'),
    ask('POST /pins/ipfs/xyz/a'),
    ask('POST /pins/ipld/xyz'),
    ask('POST /pins/ipns/'),
    ask('POST /pins/ipfs//'),
    ask('DELETE /pins/ipfs/a%20%22b'),
    ask('DELETE /pins/ipfs/%01'),
  ]
}

const escaped = (text: string) =>
  text === '\xff' ? '%FF' : encodeURIComponent(text).replace(/%2B/g, '+')
