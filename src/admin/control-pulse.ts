/**
 * The time limit of a request over the control socket, for command and daemon alike: while the
 * daemon works, however long, it sends signs of life (102 Processing). A daemon that sends none is
 * stopped, or hangs.
 */
import type { FastifyInstance } from 'fastify'

const pulseMs = 1000

/** How long a command waits for a sign of life. */
export const silenceMsMax = 10_000

/** Gives signs of life until the answer begins. */
export function addPulse(control: FastifyInstance): void {
  control.addHook('onRequest', (_request, { raw }, done) => {
    const timer = setInterval(() => {
      if (!raw.headersSent) raw.writeProcessing()
    }, pulseMs)
    raw.once('close', () => {
      clearInterval(timer)
    })
    done()
  })
}
