/** One question over a connection of its own, for what is not measured. */
import { request } from 'node:http'
import { request as requestTls } from 'node:https'
import { text } from 'node:stream/consumers'

export interface Answer {
  readonly status: number
  readonly body: string
}

export function ask(
  port: number,
  path: string,
  credential?: string,
  isTls = false,
): Promise<Answer> {
  const auth = credential === undefined ? {} : { auth: credential }
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, agent: false as const, ...auth }
    // What the certificate is worth is not measured.
    const send = isTls ? requestTls : request
    send({ ...options, rejectUnauthorized: false }, (response) => {
      const { statusCode: status = 0 } = response
      text(response).then((body) => {
        resolve({ status, body })
      }, reject)
    })
      .on('error', reject)
      .end()
  })
}
