/** The build ends when the configuration's schema leaves open what the program has to know of a field. */
import t from 'tap'
import { compileSchema } from '../../deploy/build/compile-schema.js'

const schemaOf = (fields: object) => ({
  type: 'object',
  properties: { known: { type: 'object', properties: fields, restart: false } },
})

const path = { type: 'string', path: 'file', secret: true }

t.test('a fully annotated field is compiled', async (t) => {
  const { schema, validator } = compileSchema(
    schemaOf({ caFile: { ...path, watch: true }, socket: { ...path, path: 'socket' } }),
  )
  t.match(schema, '"watch":true')
  t.match(validator, /export/)
})

t.test('a field or a section says what a reload does with it', async (t) => {
  const properties = { known: { type: 'integer', restart: true }, other: { type: 'integer' } }
  t.throws(() => compileSchema({ type: 'object', properties }), /^[^]*\nother needs "restart"/)
  const section = { type: 'object', properties: { inner: { type: 'integer' } } }
  t.throws(() => compileSchema({ type: 'object', properties: { section } }), /section\.inner needs/)
})

/** By what is wrong with them. */
const faulty = {
  'a list of which a part waits': {
    fields: { some: { type: 'array', items: { type: 'string', restart: true } } },
    message: 'known.some[] must not have "restart"',
  },
  'a record of which a part waits': {
    fields: {
      some: {
        type: 'object',
        patternProperties: {
          '^a$': { type: 'object', properties: { inner: { type: 'integer', restart: true } } },
        },
      },
    },
    message: 'known.some[].inner must not have "restart"',
  },
  'a watched directory': {
    fields: { some: { ...path, path: 'directory', watch: true } },
    message: 'known.some must not have "watch"',
  },
  'a file by its name, and not by its annotation': {
    fields: { dumpFile: { type: 'string' } },
    message: 'known.dumpFile needs "path"',
  },
  'a secret by its name that messages may show': {
    fields: { redisPassword: { type: 'string' } },
    message: 'known.redisPassword needs "secret"',
  },
  'a file that is read by its name, and not watched': {
    fields: { caFile: path },
    message: 'known.caFile needs "watch"',
  },
  'a watched file of another name': {
    fields: { certificate: { ...path, watch: true } },
    message: 'known.certificate needs "watch" and a name',
  },
  'a path that messages may show': {
    fields: { some: { type: 'string', path: 'file' } },
    message: 'secret',
  },
  'a path of an unknown kind': {
    fields: { some: { ...path, path: 'pipe' } },
    message: 'must be equal to one of the allowed values',
  },
  'a path that is a number': {
    fields: { some: { ...path, type: 'integer' } },
    message: 'missing type "string" for keyword "path"',
  },
  'an annotation with a slip in it': {
    fields: { some: { type: 'integer', retsart: true } },
    message: 'unknown keyword: "retsart"',
  },
  'a restart that is a word': {
    fields: { some: { type: 'integer', restart: 'yes' } },
    message: 'restart value must be',
  },
}

for (const [title, { fields, message }] of Object.entries(faulty))
  t.test(`the build ends at ${title}`, async (t) => {
    let thrown = ''
    try {
      compileSchema(schemaOf(fields))
    } catch (error) {
      thrown = String(error)
    }
    t.match(thrown, message)
  })
