/** Does the TLS handshake of a client with the usual trust, and reports what it found. */
import { isIP } from 'node:net'
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import { daysText } from '../../time/span-text.js'
import { dayMs } from '../../time/units.js'
import { chainProblem, handshakeProblem } from './tls-problems.js'
import type { EncoderUrl } from './encoder-url.js'
import { codeOf, within } from './time-limit.js'
import { quoted, type ProbeSteps, type ProbeProblem } from './steps.js'

export interface Trust {
  /** PEM, in place of the authorities that Node trusts. */
  readonly ca: string | undefined
}

/** @returns whether a client would continue */
export async function shakeHands(
  { host, port }: EncoderUrl,
  address: string,
  ms: number,
  steps: ProbeSteps,
  { ca }: Trust,
): Promise<boolean> {
  const socket = greet(host, address, port, ca)
  try {
    await within(ms, secured(socket))
    const certificate = socket.getPeerCertificate()
    const { authorizationError } = socket as { authorizationError?: unknown }
    const problems = problemsOf(host, certificate, authorizationError, new Date())
    if (problems.length > 0) {
      steps.fail('tls', ...problems)
      return false
    }
    const leftMs = Date.parse(certificate.valid_to) - Date.now()
    const protocol = (socket.getProtocol() ?? 'TLS').replace('v', ' ')
    steps.ok('tls', `${protocol}, the certificate is good for ${daysText(leftMs)}`)
    const warning = expiryNote(leftMs)
    if (warning !== undefined) steps.note('tls', warning)
    return true
  } catch (error) {
    steps.fail('tls', handshakeProblem(codeOf(error), ms))
    return false
  } finally {
    socket.on('error', () => undefined)
    socket.destroy()
  }
}

/** Whether TLS is spoken at a port, with whatever certificate. */
export async function speaksTls(
  endpoint: EncoderUrl,
  address: string,
  ms: number,
): Promise<boolean> {
  const socket = greet(endpoint.host, address, endpoint.port, undefined)
  try {
    await within(ms, secured(socket))
    return true
  } catch {
    return false
  } finally {
    socket.on('error', () => undefined)
    socket.destroy()
  }
}

/** A note when the certificate should have been renewed. */
export function expiryNote(leftMs: number): string | undefined {
  if (leftMs >= noteMs) return undefined
  return `the certificate expires in ${daysText(leftMs)}: ask the operator whether renewal works`
}

const noteMs = 14 * dayMs

/** Verified after the handshake, since a refusal in the middle of it would say less. */
function greet(host: string, address: string, port: number, ca: string | undefined): TLSSocket {
  return connect({
    ...{ host: address, port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] },
    ...(isIP(host) === 0 && { servername: host }),
    ...(ca !== undefined && { ca }),
  })
}

function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
    socket.once('close', () => {
      reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' }))
    })
  })
}

/** Dates and name are looked at here: of several faults, OpenSSL says only one. */
function problemsOf(
  host: string,
  certificate: PeerCertificate,
  authorizationError: unknown,
  now: Date,
): ProbeProblem[] {
  const problems: ProbeProblem[] = []
  const [from, to] = [new Date(certificate.valid_from), new Date(certificate.valid_to)]
  const clock = `this machine's clock says ${now.toISOString().slice(0, 16)}Z`
  if (to < now)
    problems.push({
      what: `the certificate expired on ${dayOf(to)}`,
      help: `the operator has to renew it; ${clock}: if that is wrong, set it`,
    })
  if (from > now)
    problems.push({
      what: `the certificate is not valid before ${dayOf(from)}`,
      help: `${clock}: if that is wrong, set it; otherwise only the operator can fix it`,
    })
  const stranger = checkServerIdentity(host, certificate)
  if (stranger !== undefined) {
    const names = namesOf(certificate)
    const help =
      isIP(host) === 0
        ? 'use one of these names in the endpoint, or ask the operator for a certificate with it'
        : 'certificates are for names: use the name of the host in the endpoint'
    problems.push({ what: `the certificate is not for ${host}, but for ${names}`, help })
  }
  const code = wordOf(authorizationError)
  const problem = code === undefined ? undefined : chainProblem(code, problems.length > 0)
  return problem === undefined ? problems : [...problems, problem]
}

/** Node gives it as a code or as an error, by version. */
function wordOf(error: unknown): string | undefined {
  if (error === null || error === undefined) return undefined
  return codeOf(error)
}

function namesOf(certificate: PeerCertificate): string {
  const names = (certificate.subjectaltname ?? '').replace(/(?:DNS|IP Address):/g, '')
  if (names !== '') return quoted(names)
  const { CN: common } = certificate.subject as { CN?: string | string[] }
  return quoted(String(common ?? 'no name'))
}

const dayOf = (date: Date): string => date.toISOString().slice(0, 10)
