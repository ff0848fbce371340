/** Explains OpenSSL's and Node's error codes for handshakes and certificate chains. */
import { secondsText } from '../../time/span-text.js'
import type { ProbeProblem } from './steps.js'

/** @param code of an error that ended the handshake */
export function handshakeProblem(code: string, ms: number): ProbeProblem {
  if (plainCodes.some((word) => code.includes(word)))
    return {
      what: `the other side does not speak TLS (${code}): most likely plain HTTP`,
      help:
        'is the port right? If pinwarden has no certificate yet, http:// reaches it, ' +
        'with the key unencrypted',
    }
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return {
      what: 'the other side broke off the handshake',
      help:
        "is the port right? A firewall or the host's connection limit can also do " +
        'that: try again, then ask the operator',
    }
  if (code === 'ETIMEDOUT')
    return {
      what: `the handshake did not finish within ${secondsText(ms)}`,
      help:
        'something listens there that does not speak TLS, or the host is overloaded: ' +
        'is the port right?',
    }
  if (code.includes('PROTOCOL_VERSION') || code.includes('UNSUPPORTED_PROTOCOL'))
    return {
      what: `the two sides have no TLS version in common (${code})`,
      help: 'pinwarden speaks TLS 1.2 and 1.3: update Node on this machine',
    }
  if (code.includes('UNRECOGNIZED_NAME'))
    return {
      what: 'the other side does not know a host of this name',
      help: 'is the host in the endpoint right?',
    }
  return { what: `the handshake failed (${code})`, help: 'send this error code to the operator' }
}

/** Codes of OpenSSL 3, of 1.1, and of Node. */
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
 * @param isKnown whether a fault of the certificate itself was already reported
 */
export function chainProblem(code: string, isKnown: boolean): ProbeProblem | undefined {
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    if (isKnown) return undefined
    const what = `a certificate further up in the chain is not valid now (${code})`
    return {
      what,
      help: 'the operator needs a new chain; an old Node here may have an outdated root',
    }
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
        'usually the intermediate certificate is missing: the operator has to put the ' +
        `whole chain (fullchain.pem) into listen.tls.certFile. Otherwise: ${trustIt}`,
    }
  return {
    what: `the certificate is not accepted (${code})`,
    help: 'send this error code to the operator',
  }
}

const trustIt =
  'the operator can get a certificate from a public authority, or send you this ' +
  'one as a file, for the encoder to be started with ' +
  'NODE_EXTRA_CA_CERTS=/path/to/it.pem'
