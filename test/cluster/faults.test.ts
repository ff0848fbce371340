/** What goes wrong with the cluster gets one word, whichever library says it and however. */
import t from 'tap'
import { errors } from 'undici'
import { ClusterFault, faultOf, faultOfAnswer } from '../../src/cluster/faults.js'

const coded = (code: string): Error => Object.assign(new Error('some words'), { code })

t.test('errors of the network and of the client are distinguished by their code', async (t) => {
  const cases = {
    'cluster-unreachable': [
      'ECONNREFUSED',
      'ENOTFOUND',
      'EAI_AGAIN',
      'EHOSTUNREACH',
      'ENETUNREACH',
    ],
    'cluster-hung-up': ['ECONNRESET', 'EPIPE'],
    'cluster-timeout': ['ETIMEDOUT'],
    'cluster-bad-answer': ['CERT_HAS_EXPIRED', 'HPE_INVALID_CONSTANT', 'EWHATEVER', ''],
  }
  for (const [reason, codes] of Object.entries(cases)) {
    for (const code of codes) t.equal(faultOf(coded(code)).reason, reason, code)
  }
})

t.test("each of undici's own errors has a reason", async (t) => {
  const cases = [
    [new errors.ConnectTimeoutError(), 'cluster-timeout'],
    [new errors.HeadersTimeoutError(), 'cluster-timeout'],
    [new errors.BodyTimeoutError(), 'cluster-cut'],
    [new errors.SocketError('other side closed'), 'cluster-hung-up'],
    [new errors.ClientDestroyedError(), 'cluster-unreachable'],
    [new errors.ClientClosedError(), 'cluster-unreachable'],
    [new errors.HTTPParserError('bad'), 'cluster-bad-answer'],
    [new errors.HeadersOverflowError(), 'cluster-bad-answer'],
  ] as const
  for (const [error, reason] of cases) t.equal(faultOf(error).reason, reason, error.name)
})

t.test('a host with several addresses that all refuse is unreachable', async (t) => {
  const all = new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')])
  t.equal(faultOf(Object.assign(all, { code: 'ECONNREFUSED' })).reason, 'cluster-unreachable')
})

t.test('the cause is kept for the log and is not in the message', async (t) => {
  const cause = coded('ECONNREFUSED')
  const fault = faultOf(cause)
  t.equal(fault.cause, cause)
  t.equal(fault.message, 'cluster-unreachable')
  t.equal(fault.name, 'ClusterFault')
})

t.test('a fault stays the fault that it is', async (t) => {
  const fault = new ClusterFault('cluster-busy')
  t.equal(faultOf(fault), fault)
})

t.test('anything that is not an error is a bad answer', async (t) => {
  for (const thrown of [undefined, null, 'ECONNREFUSED', { code: 'ECONNREFUSED' }]) {
    t.equal(faultOf(thrown).reason, 'cluster-bad-answer', JSON.stringify([thrown]))
  }
})

t.test('answers that the handlers of the cluster give are relayed', async (t) => {
  for (const status of [200, 400, 404, 500]) {
    t.equal(faultOfAnswer(status, { 'content-length': '2' }), undefined, `${status}, counted`)
    t.equal(
      faultOfAnswer(status, { 'transfer-encoding': 'chunked' }),
      undefined,
      `${status}, chunked`,
    )
  }
  t.equal(faultOfAnswer(204, {}), undefined, '204 has no body to frame')
})

t.test('an answer that only the end of the connection ends is a bad one', async (t) => {
  for (const status of [200, 400, 404, 500]) {
    t.equal(faultOfAnswer(status, {}), 'cluster-bad-answer', String(status))
  }
})

t.test('every other status is a fault of the cluster', async (t) => {
  const cases = {
    'cluster-redirect': [300, 301, 302, 303, 304, 307, 308, 399],
    'cluster-auth': [401, 403, 407],
    'cluster-unavailable': [502, 503, 504],
    'cluster-bad-answer': [
      201, 202, 203, 205, 206, 299, 402, 405, 408, 409, 418, 429, 431, 501, 505,
    ],
  }
  for (const [reason, statuses] of Object.entries(cases)) {
    for (const status of statuses) {
      t.equal(faultOfAnswer(status, { 'content-length': '0' }), reason, String(status))
    }
  }
})
