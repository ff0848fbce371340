/** `pinwarden probe`: acts like an encoder, and says what works, what does not, and why. */
import { canonicalCid } from '../../cluster/cid.js'
import type { Io } from '../io.js'
import { isAnswer } from './answers.js'
import { Asker } from './ask.js'
import { type EncoderUrl, readEncoderUrl } from './encoder-url.js'
import { readEnvFile } from './env-file.js'
import { environmentNotes } from './environment.js'
import { Requests } from './requests.js'
import { ProbeSteps } from './steps.js'
import { shakeHands, speaksTls } from './tls.js'
import { connectTcp, lookUp } from './connectivity.js'
import { UsageError } from '../report.js'

export interface ProbeOptions {
  /** URL of the gate, with its credential; default: the environment's. */
  readonly url: string | undefined
  /** To pin and unpin. */
  readonly cid: string | undefined
  /** In place of the encoder's own limits. */
  readonly timeoutMs?: number
  /** PEM, in place of the authorities that Node trusts. */
  readonly ca?: string
  /**
   * The encoder's `.env`, read if the environment has no endpoint; default: that of this directory.
   */
  readonly envFile?: string
}

/** @returns 0 when all works, 1 when something does not */
export async function probe(options: ProbeOptions, io: Io): Promise<number> {
  // The key is in the arguments, which every user of this machine can see: this overwrites them.
  if (options.url !== undefined) process.title = 'pinwarden probe'
  const { text, cid, env, source } = argumentsOf(options, io)
  const endpoint = readEncoderUrl(text)
  const isEndpoint = 'base' in endpoint
  const steps = new ProbeSteps(io.stdout, isEndpoint ? endpoint.secrets : [])
  if (source !== undefined) steps.note('endpoint', `IPFS_CLUSTER_ENDPOINT is the one in ${source}`)
  if (!isEndpoint) {
    steps.fail('endpoint', ...endpoint)
    end(steps, '')
    // A bad endpoint on the command line is wrong usage; one from a file or the environment is a
    // finding.
    return options.url === undefined ? 1 : 2
  }
  steps.ok('endpoint', `${endpoint.base} as ${endpoint.name}`)
  for (const note of endpoint.notes) steps.note('endpoint', note)
  for (const note of environmentNotes(env, endpoint)) steps.note('env', note)

  const address = await wayTo(endpoint, options, steps)
  const isPinned = address !== undefined && (await talk(endpoint, address, cid, options, steps))
  const may = isPinned ? 'can ask, pin and unpin' : `can ask; ${cid === undefined ? untried : kept}`
  return end(steps, `${endpoint.name} at ${endpoint.base} ${may}`)
}

const untried = 'with a CID, the probe also pins and unpins it'
const kept = 'with a CID that is not pinned yet, the probe also pins and unpins it'

/** The empty UnixFS directory: every node knows it. */
const wellKnown = 'QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn'

/** The encoder's limit for /id, which includes the connection. */
const wayMs = 10_000

function argumentsOf({ url, cid, envFile = '.env' }: ProbeOptions, io: Io) {
  // With the endpoint in the environment, a CID may be the only argument.
  const isCidAlone = url !== undefined && cid === undefined && canonicalCid(url) !== undefined
  const urlGiven = isCidAlone ? undefined : url
  const isFileRead = urlGiven === undefined && io.env.IPFS_CLUSTER_ENDPOINT === undefined
  const env = isFileRead ? { ...readEnvFile(envFile), ...io.env } : io.env
  const text = urlGiven ?? env.IPFS_CLUSTER_ENDPOINT
  if (text === undefined || text.trim() === '')
    throw new UsageError(
      'there is no endpoint to probe',
      "run this in the directory of the encoder's .env, or set IPFS_CLUSTER_ENDPOINT",
    )
  const cidGiven = isCidAlone ? url : cid
  const canonical = cidGiven === undefined ? undefined : canonicalCid(cidGiven)
  if (cidGiven !== undefined && canonical === undefined)
    throw new UsageError('this is not a CID', `such as ${wellKnown}; copy it again`)
  return { text, cid: canonical, env, source: isFileRead ? envFile : undefined }
}

/** @returns the address of the gate, where it can be connected to */
async function wayTo(
  endpoint: EncoderUrl,
  { timeoutMs = wayMs, ca }: ProbeOptions,
  steps: ProbeSteps,
): Promise<string | undefined> {
  const addresses = await lookUp(endpoint, timeoutMs, steps)
  if (addresses.length === 0) return undefined
  const [address] = await connectTcp(endpoint, addresses, timeoutMs, steps)
  if (address === undefined || !endpoint.isTls) return address
  return (await shakeHands(endpoint, address, timeoutMs, steps, { ca })) ? address : undefined
}

/** @returns whether a pin was tried */
async function talk(
  endpoint: EncoderUrl,
  address: string,
  cid: string | undefined,
  { timeoutMs, ca }: ProbeOptions,
  steps: ProbeSteps,
): Promise<boolean> {
  const asker = new Asker(endpoint, timeoutMs, ca)
  const requests = new Requests(asker, steps)
  try {
    const isTlsPort = () =>
      endpoint.isTls ? Promise.resolve(false) : speaksTls(endpoint, address, timeoutMs ?? wayMs)
    const fault = await requests.id(isTlsPort)
    // A gate that says who may not, or that the cluster is slow, may answer the next one.
    const isOver =
      fault !== undefined && (isAnswer(fault) ? !mayGoOn(fault.status) : fault.code !== 'ETIMEDOUT')
    if (isOver) return false
    const isUnpinned = await requests.status(cid ?? wellKnown)
    return cid !== undefined && (await pinAndUnpin(requests, cid, isUnpinned, steps))
  } finally {
    asker.close()
  }
}

const mayGoOn = (status: number): boolean => status === 403 || status >= 500

/** @returns whether it was tried */
async function pinAndUnpin(
  requests: Requests,
  cid: string,
  isUnpinned: boolean | undefined,
  steps: ProbeSteps,
): Promise<boolean> {
  if (isUnpinned !== true) {
    const why =
      isUnpinned === undefined
        ? `it is unknown whether ${cid} is pinned, so unpinning could destroy a pin`
        : `${cid} is already pinned (not \`unpinned\`), so unpinning would destroy that pin`
    steps.skip('pin', `not tried: ${why}`)
    steps.skip('unpin', 'not tried, for the same reason')
    return false
  }
  const pinned = await requests.pin(cid)
  if (pinned === 'yes') {
    const isGone = await requests.status(cid)
    if (isGone === true)
      steps.note(
        'status',
        'the cluster accepted the pin and does not show it yet: it may batch writes',
      )
  }
  if (pinned === 'no') steps.skip('unpin', 'nothing was pinned')
  else await requests.unpin(cid, pinned)
  return true
}

function end(steps: ProbeSteps, works: string): number {
  steps.end(steps.hasFailed ? steps.count : `all works: ${works}`)
  return steps.hasFailed ? 1 : 0
}
