/** Text of a client's choosing goes to the log: never with a key in it, never without bound. */
import t from 'tap'
import { redact } from '../../src/log/redact.js'

const key = 'pw_0aZ9bY8cX7dW6eV5fU4gT3hS2iR1jQ0kP9lO8mN7nM6'

t.test('harmless text stays as it came', async (t) => {
  const texts = [
    '',
    '/id',
    '/pins/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG',
    '/pins/%51m%2F%00',
    '/a%zz%',
    'axios/1.7.7',
    'Mozilla/5.0 (X11; +https://example.org/bot)',
    'someone@example.org',
    'upward pw',
  ]
  for (const text of texts) t.equal(redact(text, 256), text)
})

t.test('a key is masked, wherever it is', async (t) => {
  const cases = {
    [key]: 'pw_…',
    [`/pins/${key}`]: '/pins/pw_…',
    [`/${key}/${key}?k=${key}`]: '/pw_…/pw_…?k=pw_…',
    [`agent ${key}, and ${key}.`]: 'agent pw_…, and pw_….',
    [key.toUpperCase()]: 'pw_…',
    [`x${key}`]: 'xpw_…',
  }
  for (const [text, shown] of Object.entries(cases)) t.equal(redact(text, 256), shown, text)
})

t.test('a percent-encoded key is replaced, whichever part of it is encoded', async (t) => {
  const secret = key.slice(3)
  const spellings = [
    `%70w_${secret}`,
    `%70%77%5F${secret}`,
    `%70%77%5f${secret}`,
    `p%57_${secret}`,
    `pw%5f${secret}`,
    `pw_%30${secret.slice(1)}`,
    `%2570w_${secret}`,
    `%252570w%25255f${secret}`,
    Array.from(key, (letter) => `%${letter.charCodeAt(0).toString(16)}`).join(''),
  ]
  for (const spelling of spellings) t.equal(redact(`/pins/${spelling}/x`, 256), '/pins/pw_…/x')
})

t.test('one call leaves nothing behind for the next', async (t) => {
  for (let i = 0; i < 3; i++) t.equal(redact(`${key} ${key}`, 256), 'pw_… pw_…')
})

t.test('user information in a URL is replaced, whatever it looks like', async (t) => {
  const cases = {
    'http://user:secret@host/id': 'http://…@host/id',
    'http://secret@host': 'http://…@host',
    'http://:secret@host': 'http://…@host',
    'a http://u:s@h1/x b http://u:s@h2/y': 'a http://…@h1/x b http://…@h2/y',
    'http://user:se@cret@host/id': 'http://…@host/id',
    '/http:%2F%2Fuser:secret@host': '/http://…@host',
    '/http%3A%2F%2Fuser%3Asecret%40host': '/http://…@host',
    '/http%253A%252F%252Fuser%253Asecret%2540host': '/http://…@host',
    [`http://user:${key}@host/id`]: 'http://…@host/id',
    'http://host/a@b': 'http://host/a@b',
  }
  for (const [text, shown] of Object.entries(cases)) t.equal(redact(text, 256), shown, text)
})

t.test('long text is cut, and the cut is seen', async (t) => {
  t.equal(redact('x'.repeat(16), 16), 'x'.repeat(16))
  t.equal(redact('x'.repeat(17), 16), `${'x'.repeat(15)}…`)
  t.equal(redact('x'.repeat(100_000), 256).length, 256)
})

t.test('a key is replaced before the cut, so that no part of it is left', async (t) => {
  for (let before = 0; before < 40; before++) {
    const shown = redact('/'.padEnd(before, 'x') + key, 32)
    t.notMatch(shown, key.slice(3, 6), shown)
    t.ok(shown.length <= 32)
  }
})

t.test('text made to be slow is not', async (t) => {
  const bytes = 32_768
  const pieces = ['%25', '/', '//', '//a', '//@', '%2525', 'pw_', '%', '@', '%2F%2F']
  for (const piece of pieces) {
    const startedMs = performance.now()
    t.equal(redact(piece.repeat(bytes / piece.length), 256).length <= 256, true)
    t.ok(performance.now() - startedMs < 1000, `${piece} repeated`)
  }
})
