/** What OpenSSL and Node call the faults of a handshake or of a chain of certificates, in words. */
import { secondsText } from '../../time/span-text.js'
import type { ProbeProblem } from './steps.js'

/** @param code of an error that ended the handshake */
export function handshakeProblem(code: string, ms: number): ProbeProblem {
  if (plainCodes.some((word) => code.includes(word)))
    return {
      what: `the other side does not speak TLS (${code}): most likely plain HTTP`,
      help:
        'is the port right? If pinwarden has no certificate yet, http:// reaches it, ' +
        'with the key in clear',
    }
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return {
      what: 'the other side broke the handshake off',
      help:
        "is the port right? A firewall or the host's limit of connections can do that " +
        'too: try again, then ask the operator',
    }
  if (code === 'ETIMEDOUT')
    return {
      what: `the handshake was not over within ${secondsText(ms)}`,
      help:
        'something listens there that does not speak TLS, or the host is overloaded: ' +
        'is the port right?',
    }
  if (code.includes('PROTOCOL_VERSION') || code.includes('UNSUPPORTED_PROTOCOL'))
    return {
      what: `no version of TLS is spoken on both sides (${code})`,
      help: 'pinwarden speaks TLS 1.2 and 1.3: Node of this machine must be current',
    }
  if (code.includes('UNRECOGNIZED_NAME'))
    return {
      what: 'the other side knows no host of this name',
      help: 'is the host in the endpoint right?',
    }
  return { what: `the handshake failed (${code})`, help: 'ask the operator, with this word' }
}

/** Of OpenSSL 3, of 1.1, and of Node around them. */
const plainCodes = [
  'WRONG_VERSION_NUMBER',
  'PACKET_LENGTH_TOO_LONG',
  'HTTP_REQUEST',
  'UNKNOWN_PROTOCOL',
  'UNEXPECTED_MESSAGE',
  'BAD_RECORD_TYPE',
  'EPROTO',
]

/**
 * @param code of what is wrong with the chain
 * @param isKnown whether a fault of the certificate itself was said already
 */
export function chainProblem(code: string, isKnown: boolean): ProbeProblem | undefined {
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    if (isKnown) return undefined
    const what = `a certificate further up in the chain is out of its time (${code})`
    return { what, help: 'the operator gets a new chain; an old Node here may have an old root' }
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code.startsWith('Hostname/IP')) return undefined
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT')
    return { what: 'the certificate is self-signed: no authority vouches for it', help: trustIt }
  if (code === 'SELF_SIGNED_CERT_IN_CHAIN')
    return { what: 'the certificate comes from a private authority', help: trustIt }
  if (code === 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' || code.startsWith('UNABLE_TO_GET_ISSUER_CERT'))
    return {
      what: `this machine does not know the issuer of the certificate (${code})`,
      help:
        'most often the intermediate certificate is missing: the operator puts the ' +
        `whole chain (fullchain.pem) into listen.tls.certFile. Else: ${trustIt}`,
    }
  return {
    what: `the certificate is not accepted (${code})`,
    help: 'ask the operator, with this word',
  }
}

const trustIt =
  'the operator gets a certificate from a public authority, or hands you this ' +
  'one as a file and the encoder is started with ' +
  'NODE_EXTRA_CA_CERTS=/path/to/it.pem'
