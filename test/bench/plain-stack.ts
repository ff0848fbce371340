/** The same packages put together the usual way: what the gate has to be cheaper than. */
import { timingSafeEqual } from 'node:crypto'
import basicAuth from '@fastify/basic-auth'
import httpProxy from '@fastify/http-proxy'
import rateLimit from '@fastify/rate-limit'
import fastify, { type FastifyInstance } from 'fastify'
import { readNodeSettings } from './node-settings.js'

const settings = readNodeSettings()
const user = Buffer.from(settings.user)
const password = Buffer.from(settings.password)

const isSame = (given: string, right: Buffer): boolean => {
  const bytes = Buffer.from(given)
  return bytes.length === right.length && timingSafeEqual(bytes, right)
}

async function serve(app: FastifyInstance, port: number): Promise<void> {
  await app.register(rateLimit, { max: 1_000_000, timeWindow: 10_000 })
  await app.register(basicAuth, {
    validate: (givenUser, givenPassword, _request, _reply, done) => {
      const isRight = [isSame(givenUser, user), isSame(givenPassword, password)].every(Boolean)
      done(isRight ? undefined : new Error('access denied'))
    },
  })
  app.addHook('onRequest', app.basicAuth)
  await app.register(httpProxy, { upstream: settings.upstream })
  await app.listen({ host: '127.0.0.1', port })
}

const logger = { file: settings.logFile }
const https = { cert: settings.cert, key: settings.key }
await serve(fastify({ logger }), settings.port)
await serve(fastify({ logger, https }), settings.tlsPort)
