/** Explains unexpected answers: which part is at fault, and what helps. */
import { refusals } from '../../gate/refusals.js'
import { adviceFor } from './advice.js'
import type { GateAnswer, Unanswered } from './ask.js'
import { secondsText } from '../../time/span-text.js'
import { quoted, type ProbeProblem } from './steps.js'

/** What was asked, for those sentences that depend on it; a permission of the gate. */
export type ProbedPermission = 'id' | 'status' | 'pin' | 'unpin'

/** @returns undefined when the answer is a success */
export function refusalProblem(
  answer: GateAnswer,
  asked: ProbedPermission,
): ProbeProblem | undefined {
  const { status } = answer
  if (status >= 200 && status < 300) return undefined
  if (status >= 300 && status < 400) return redirected(answer)
  const said = messageOf(answer.json)
  if (said === undefined) return foreign(answer)
  const id = header(answer, 'x-request-id')
  const named = id === undefined ? '' : ` (request id ${id})`
  return { what: `${status}, ${said}${named}`, help: helpFor(answer, asked, said, id) }
}

/** A success whose body no cluster would send. */
export function strangeProblem(answer: GateAnswer): ProbeProblem {
  const what =
    answer.json === undefined
      ? `${answer.status}, but with ${kindOf(answer)} in it instead of a cluster's answer`
      : `${answer.status}, but with JSON in it that no cluster gives here`
  return { what, help: otherServer }
}

/** A request without an answer, or with half of one. */
export function silenceProblem({ code, isBegun, limitMs }: Unanswered): ProbeProblem {
  if (code === 'ETIMEDOUT')
    return {
      what: `no ${isBegun ? 'whole ' : ''}answer within ${secondsText(limitMs)}`,
      help:
        'the encoder would also have given up: the cluster or its host is ' +
        "overloaded or hangs; the operator's log says which. Try again later",
    }
  if (code.startsWith('HPE_'))
    return { what: `what answers does not speak HTTP/1.1`, help: otherServer }
  const when = isBegun ? 'in the middle of its answer' : 'before it answered'
  return {
    what: `the other side closed the connection ${when} (${code})`,
    help:
      'try again; if it happens again, ask the operator whether pinwarden or a proxy ' +
      'in front of it was restarted, or cuts off long answers',
  }
}

export const isAnswer = (found: GateAnswer | Unanswered): found is GateAnswer => 'status' in found

function helpFor(
  answer: GateAnswer,
  asked: ProbedPermission,
  said: string,
  id: string | undefined,
): string {
  const log =
    id === undefined ? '' : `; the operator can find the request with: pinwarden tail --id ${id}`
  const known = adviceFor(said)
  if (known !== undefined) return `${known}${log}`
  switch (answer.status) {
    case 400:
      return `the message says what is wrong with the request${log}`
    case 401:
      return id === undefined
        ? 'the answer has no X-Request-Id, so it is not pinwarden that asks for a ' +
            'credential: are host and port right?'
        : 'the key is unknown, expired or does not belong to the name before the colon, ' +
            'or this encoder is disabled or may not connect from this network. The gate does ' +
            `not say which, but the operator's log does: pinwarden tail --id ${id}`
    case 403:
      return (
        `ask the operator for the permission \`${asked}\`, which a role or \`allow\` ` +
        `can give to this encoder${log}`
      )
    case 404:
    case 405:
      return (
        'is it pinwarden or a cluster that answers at this address, and is there a ' +
        `path in the endpoint that does not belong there?${log}`
      )
    case 413:
    case 431:
      return (
        'something on the way allows less than the encoder sends: the operator can raise ' +
        `listen.headerBytesMax or listen.bodyBytesMax${log}`
      )
    case 429:
      return said === refusals['too-many-failures'].message
        ? 'the key is wrong, as a valid key always passes; too many wrong ones have come ' +
            `from this address. Use the right key, and stop the program that uses a wrong one${log}`
        : tooOften(answer, log)
    default:
      return answer.status >= 500
        ? 'this is not about the key: the cluster behind the gate, or the gate itself, is ' +
            `down, full or slow, which only the operator can fix. Try again later${log}`
        : `ask the operator${log}`
  }
}

function tooOften(answer: GateAnswer, log: string): string {
  const seconds = header(answer, 'retry-after')
  const wait = seconds === undefined ? 'wait a while' : `wait ${seconds} s`
  const policy = /^"(\w+)";q=(\d+);w=(\d+)/.exec(header(answer, 'ratelimit-policy') ?? '')
  const left = /;r=(\d+)/.exec(header(answer, 'ratelimit') ?? '')?.[1]
  const budget =
    policy === null
      ? ''
      : `; this encoder has ${policy[2] ?? ''} ${policy[1] ?? ''} in ${policy[3] ?? ''} s` +
        (left === undefined ? '' : `, and ${left} of them are left`)
  return `${wait}, then try again${budget}. The operator can raise it in limits${log}`
}

function redirected(answer: GateAnswer): ProbeProblem {
  const location = header(answer, 'location')
  const target = location === undefined ? '' : ` to ${location}`
  return {
    what: `${answer.status}, a redirect${target}: another server answers there`,
    help:
      'clients turn a redirected POST into a GET and may drop the key: pins would be ' +
      'lost without an error. Put the address of pinwarden itself into ' +
      'the endpoint (https instead of http?)',
  }
}

/** An error that is neither pinwarden's nor a cluster's. */
function foreign(answer: GateAnswer): ProbeProblem {
  const { status } = answer
  const what = `${status}, with ${kindOf(answer)} in it: neither pinwarden's nor a cluster's`
  const help =
    status >= 502 && status <= 504
      ? 'a web server or CDN in front of pinwarden cannot reach it: ask the operator ' +
        'whether pinwarden runs'
      : otherServer
  return { what, help }
}

const otherServer =
  'another program answers, such as a web server or a CDN: ' +
  'check host, port and path in the endpoint'

function kindOf(answer: GateAnswer): string {
  const type = header(answer, 'content-type')?.split(';')[0] ?? 'nothing'
  const server = header(answer, 'server')
  return `${type}${server === undefined ? '' : ` of ${server}`}`
}

function messageOf(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null) return undefined
  const { code, message } = json as { code?: unknown; message?: unknown }
  return typeof code === 'number' && typeof message === 'string' ? quoted(message) : undefined
}

function header(answer: GateAnswer, name: string): string | undefined {
  const value = answer.headers[name]
  return value === undefined ? undefined : quoted(String(value), 100)
}
