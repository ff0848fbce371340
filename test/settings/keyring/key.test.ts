/** Keys: their form, their check part, their hash. */
import { crc32 } from 'node:zlib'
import t from 'tap'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import { keyForm } from '../../../src/settings/keyring/key-form.js'

t.test(
  'a new key is well-formed, safe unescaped in URLs, shells and files, and unlike any other',
  async (t) => {
    const keys = Array.from({ length: 1000 }, generateKey)
    t.equal(new Set(keys).size, keys.length)
    for (const key of keys) {
      if (!/^pw_[A-Za-z0-9]{49}$/.test(key)) t.fail(`malformed: ${key}`)
      if (keyForm(key) !== 'well-formed') t.fail(`not well-formed: ${key}`)
    }
  },
)

t.test(
  'any one wrong character, and any two swapped, are distinguished from a wrong key',
  async (t) => {
    const key = generateKey()
    for (let at = 3; at < key.length; at += 1) {
      const other = key.charAt(at) === 'x' ? 'y' : 'x'
      t.equal(keyForm(key.slice(0, at) + other + key.slice(at + 1)), 'mistyped', `at ${at}`)
      const next = key.charAt(at + 1)
      if (next !== '' && next !== key.charAt(at))
        t.equal(keyForm(key.slice(0, at) + next + key.charAt(at) + key.slice(at + 2)), 'mistyped')
    }
  },
)

t.test('text that does not have the form of a key is malformed', async (t) => {
  const key = generateKey()
  const bad = ['', 'pw_', key.slice(1), key.slice(0, -1), `${key}a`, `${key}\n`, ` ${key}`]
  for (const text of [...bad, key.toUpperCase(), key.replace('_', '-'), `pw_${'é'.repeat(49)}`])
    t.equal(keyForm(text), 'malformed', JSON.stringify(text))
})

t.test('the check part is the CRC-32 of the text before it, in base62', async (t) => {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  for (let count = 0; count < 1000; count += 1) {
    const key = generateKey()
    const check = Array.from(key.slice(-6)).reduce(
      (sum, digit) => sum * 62 + digits.indexOf(digit),
      0,
    )
    if (check !== crc32(key.slice(0, -6))) t.fail(key)
  }
})

t.test('the digest is SHA-256 in lower-case hex', async (t) => {
  t.equal(digestOf('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
