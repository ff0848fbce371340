/** The requests of an encoder's life, each a step: /id, and the status, pin and unpin of a CID. */
import { isObject } from '../../cluster/json.js'
import { type GateAnswer, type Asker, type ProbeMethod, type Unanswered } from './ask.js'
import {
  type ProbedPermission,
  isAnswer,
  refusalProblem,
  silenceProblem,
  strangeProblem,
} from './answers.js'
import { pinStatusOf } from './pin-status.js'
import { quoted, type ProbeProblem, type ProbeSteps } from './steps.js'

/** A request that was tried: its answer if it was a cluster's, else what came instead. */
interface Tried {
  readonly good?: GateAnswer
  readonly came: GateAnswer | Unanswered
}

export class Requests {
  constructor(
    private readonly asker: Asker,
    private readonly steps: ProbeSteps,
  ) {}

  /**
   * @param isTlsPort asked only where what came may be the answer of a port for TLS
   * @returns what came instead of an answer; undefined when all is well
   */
  async id(isTlsPort: () => Promise<boolean>): Promise<GateAnswer | Unanswered | undefined> {
    const { good, came } = await this.#try('GET', '/id', isId)
    if (good === undefined) {
      const mayBeTls = !isAnswer(came) || came.status === 400
      const problem = mayBeTls && (await isTlsPort()) ? httpAtTls : this.#problemOf(came, 'id')
      this.steps.fail('id', problem)
      return came
    }
    // The gate names each request.
    if (good.headers['x-request-id'] === undefined) {
      if (await this.#letsStrangersIn()) {
        this.steps.fail('id', unprotected)
        return came
      }
      this.steps.note('id', nameless)
    }
    const { peername, version, cluster_peers: peers, ipfs } = good.json as Id
    const count = peers.length === 1 ? '1 cluster peer' : `${peers.length} cluster peers`
    const who = `${quoted(peername, 64)}, version ${quoted(version, 64)}, ${count}`
    if (isObject(ipfs) && typeof ipfs.error === 'string' && ipfs.error !== '')
      this.steps.fail('id', {
        what: `${who}, but its Kubo does not answer: ${quoted(ipfs.error)}`,
        help: 'only the operator can fix that. Pins are still accepted, and wait for it',
      })
    else this.steps.ok('id', `${who} (${good.ms} ms)`)
    return undefined
  }

  /** @returns whether the CID is certainly not pinned; undefined: unknown */
  async status(cid: string): Promise<boolean | undefined> {
    const path = `/pins/${cid}`
    const fits = (json: unknown) => pinStatusOf(json) !== undefined
    const { good } = await this.#ask('status', 'GET', path, fits)
    const found = pinStatusOf(good?.json)
    if (good === undefined || found === undefined) return undefined
    if (found.problems.length > 0) this.steps.fail('status', ...found.problems)
    else this.steps.ok('status', `${cid} is ${found.text} (${good.ms} ms)`)
    return found.isUnpinned
  }

  /** @returns `no` only when it is certain that nothing was pinned */
  async pin(cid: string): Promise<'yes' | 'maybe' | 'no'> {
    const { good, came } = await this.#ask('pin', 'POST', `/pins/${cid}`, isPin)
    if (good !== undefined) {
      this.steps.ok('pin', `the cluster accepted the pin (${good.ms} ms)`)
      return 'yes'
    }
    return isAnswer(came) && came.status >= 300 && came.status < 500 ? 'no' : 'maybe'
  }

  /** @param pinned whether there is something to unpin */
  async unpin(cid: string, pinned: 'yes' | 'maybe'): Promise<void> {
    const stays = {
      what: `the pin of ${cid} ${pinned === 'yes' ? 'has most likely' : 'may have'} stayed`,
      help:
        'run this again in a minute: its status step says so. If the pin is there, the ' +
        'operator, or an encoder with the permission `unpin`, has to remove it',
    }
    const path = `/pins/${cid}`
    const found = await this.asker.ask('DELETE', path)
    if (isAnswer(found)) {
      if (found.status === 200 && isPin(found.json)) {
        this.steps.ok('unpin', `${cid} is unpinned again (${found.ms} ms)`)
        if (pinned === 'maybe') this.#lateNote(cid)
        return
      }
      if (pinned === 'maybe' && found.status === 404 && isObject(found.json)) {
        this.steps.ok('unpin', 'there was nothing to unpin')
        this.#lateNote(cid)
        return
      }
    }
    this.steps.fail('unpin', this.#problemOf(found, 'unpin'), stays)
  }

  /** A write without an answer may still be on its way. */
  #lateNote(cid: string): void {
    this.steps.note('unpin', `the failed pin may still take effect: check ${cid} again later`)
  }

  async #ask(
    asked: ProbedPermission,
    method: ProbeMethod,
    path: string,
    fits: (json: unknown) => boolean,
  ): Promise<Tried> {
    const tried = await this.#try(method, path, fits)
    if (tried.good === undefined) this.steps.fail(asked, this.#problemOf(tried.came, asked))
    return tried
  }

  async #try(method: ProbeMethod, path: string, fits: (json: unknown) => boolean): Promise<Tried> {
    const came = await this.asker.ask(method, path)
    if (isAnswer(came) && came.status === 200 && fits(came.json)) return { good: came, came }
    return { came }
  }

  async #letsStrangersIn(): Promise<boolean> {
    const anonymous = await this.asker.ask('GET', '/id', true)
    return isAnswer(anonymous) && anonymous.status === 200
  }

  #problemOf(came: GateAnswer | Unanswered, asked: ProbedPermission) {
    if (!isAnswer(came)) return silenceProblem(came)
    return refusalProblem(came, asked) ?? strangeProblem(came)
  }
}

const httpAtTls: ProbeProblem = {
  what: 'this port expects TLS, and the endpoint says http://',
  help: 'write https:// instead of http:// in the endpoint',
}

const unprotected: ProbeProblem = {
  what: 'this is the cluster itself, without pinwarden in front: it answers without a key',
  help:
    "every client that reaches this port can pin and unpin everything. Put pinwarden's own port " +
    '(usually 9098) into the endpoint; the operator has to close this one to the world',
}

const nameless =
  'the answer has no X-Request-Id, which pinwarden sends: this may be the cluster itself, ' +
  "with its own password. Is this pinwarden's port (usually 9098)?"

/** The fields that the encoder reads. */
interface Id {
  readonly peername: string
  readonly version: string
  readonly cluster_peers: readonly unknown[]
  readonly ipfs?: unknown
}

const isId = (json: unknown): json is Id =>
  isObject(json) &&
  typeof json.peername === 'string' &&
  typeof json.version === 'string' &&
  Array.isArray(json.cluster_peers)

const isPin = (json: unknown): boolean => isObject(json) && typeof json.cid === 'string'
