/** docs/openapi.yaml: generated, and what it says is what the gate does. */
import { readFileSync } from 'node:fs'
import Ajv from 'ajv/dist/2020.js'
import t from 'tap'
import { openapi, openapiText, pathOf } from '../../deploy/build/openapi.js'
import { type Route, routes } from '../../src/gate/routes.js'
import { optionGrants, permissions } from '../../src/settings/values/permissions.js'
import { startGate } from '../support/start-gate.js'

const root = new URL('../../../', import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
  version: string
}
const document = openapi(version)
const { responses: refused, schemas } = document.components

interface Response {
  readonly $ref?: string
  readonly content?: { readonly 'application/json': { readonly schema: { readonly $ref: string } } }
}

const operationOf = ({ method, url }: Route) => {
  const operation = document.paths[pathOf(url)]?.[method.toLowerCase()]
  if (operation === undefined) throw new Error(`${method} ${url} is not in the document`)
  return operation
}

/** Of a status of an operation; the reasons that it may have, where the gate refuses. */
function responseOf(route: Route, status: number) {
  const responses: Readonly<Record<string, Response>> = operationOf(route).responses
  const response = responses[status]
  const name = response?.$ref?.replace('#/components/responses/', '')
  return name === undefined ? { response } : { response: refused[name], ...refused[name] }
}

/** A request that is good, but for what is changed. */
const targetOf = (route: Route): string => {
  const { parameters } = operationOf(route)
  return parameters.reduce(
    (path, { name, example = '' }) => path.replace(`{${name}}`, example),
    pathOf(route.url),
  )
}

const ajv = new Ajv.default({ strict: false })

/** Every line of it, where it is a stream. */
function isLike(schema: string, text: string): boolean {
  const name = schema.replace('#/components/schemas/', '')
  const isValid = ajv.compile(schemas[name as keyof typeof schemas])
  return text
    .trim()
    .split('\n')
    .every((line) => isValid(JSON.parse(line)))
}

t.test('the file is what is generated from the route table and the refusals', (t) => {
  const file = readFileSync(new URL('docs/openapi.yaml', root), 'utf8')
  t.equal(file, openapiText(version), 'npm run docs')
  t.end()
})

t.test('each of its operations answers as it says, and its credential is needed', async (t) => {
  const all = { role: 'operator', options: optionGrants }
  const gate = await startGate(t, { encoders: { ops: all } })
  for (const route of routes) {
    const { method } = route
    const path = targetOf(route)
    const name = `${method} ${path}`
    // So that what is unpinned and recovered is there.
    if (path.includes('Qm')) await gate.ask('POST', pinExample, { as: 'ops' })
    const answer = await gate.ask(method, path, { as: 'ops' })
    const { response } = responseOf(route, answer.status)
    t.ok(response, `${name}: ${answer.status} ${answer.text}`)
    const schema = response?.content?.['application/json'].schema.$ref
    t.ok(answer.status < 300 || method === 'DELETE', `${name} ${answer.status}`)
    if (schema !== undefined) t.ok(isLike(schema, answer.text), `${name}: ${answer.text}`)
    t.ok(answer.headers.get('x-request-id'))
    const stranger = await fetch(gate.url + path, { method })
    t.equal(stranger.status, 401, name)
    t.ok(isLike('Error', await stranger.text()))
  }
})

/** `POST /pins/{cid}` of the example. */
const pinExample = '/pins/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

t.test('each refusal of an operation is among its documented answers', async (t) => {
  const gate = await startGate(t, {
    encoders: {
      none: { deny: permissions },
      busy: { limits: { reads: { max: 0 }, writes: { max: 0 }, listings: { max: 0 } } },
      other: {},
    },
  })
  await gate.ask('POST', pinExample, { as: 'other' })
  for (const route of routes) {
    const { method } = route
    const path = targetOf(route)
    const asked = [
      await gate.ask(method, path, { as: 'none' }),
      await gate.ask(method, path, { as: 'busy' }),
      await gate.ask(method, path),
      await gate.ask(method, `${path}?unknown=1`),
      await gate.ask(method, `${path}?%zz`),
      await gate.ask(method, path.replace('Qm', 'Qx')),
      await gate.ask(method, path, { headers: { authorization: 'Bearer pw_nonsense' } }),
      await gate.ask(method, path, { headers: { expect: 'nothing' } }).catch(() => undefined),
    ]
    for (const answer of asked) {
      if (answer === undefined || answer.status < 400) continue
      const id = answer.headers.get('x-request-id')
      const { reason = '', outcome } = await gate.line((line) => line.id === id)
      if (outcome !== 'refused') continue
      const found = responseOf(route, answer.status)
      const reasons = 'x-reasons' in found ? found['x-reasons'] : []
      const where = `${method} ${path}: ${answer.status} ${reason}`
      t.ok(reasons.includes(reason) || elsewhere.includes(reason), where)
      t.ok(isLike('Error', answer.text), where)
    }
  }
})

/** Malformed requests that do not belong to the operation any more. */
const elsewhere = ['unknown-route']

t.test('each parameter is accepted with its example, and no others are', (t) => {
  for (const route of routes) {
    const [, ...segments] = targetOf(route).split('/')
    const parse = (query: readonly (readonly [string, string])[]) =>
      route.parse({ segments, query: new Map(query), granted: new Set(optionGrants) })
    const queries = operationOf(route).parameters.filter((parameter) => parameter.in === 'query')
    for (const { name, example = '' } of queries) {
      const isOfOwn = name === 'limit' || name === 'after'
      t.ok(parse([...(isOfOwn ? [['owner', 'me'] as const] : []), [name, example]]), name)
    }
    t.throws(() => parse([['unknown', '1']]), /unknown parameter/)
  }
  t.end()
})
