/** Checks connectivity to the gate as far as TCP: addresses of the name, a connection to each. */
import { promises as dns } from 'node:dns'
import { connect, isIP } from 'node:net'
import { bracketed } from '../gate-url.js'
import { codeOf, within } from './time-limit.js'
import type { EncoderUrl } from './encoder-url.js'
import type { ProbeSteps, ProbeProblem } from './steps.js'

/** @returns addresses in the order in which they would be tried; none where the step failed */
export async function lookUp(
  { host }: EncoderUrl,
  ms: number,
  steps: ProbeSteps,
): Promise<string[]> {
  if (isIP(host) !== 0) {
    steps.ok('dns', `${host} is an address: nothing to look up`)
    return [host]
  }
  try {
    const found = await within(ms, dns.lookup(host, { all: true }))
    const addresses = [...new Set(found.map(({ address }) => address))]
    steps.ok('dns', `${host} is ${addresses.join(', ')}`)
    return addresses
  } catch (error) {
    steps.fail('dns', nameProblem(host, codeOf(error)))
    return []
  }
}

function nameProblem(host: string, code: string): ProbeProblem {
  if (code === 'ENOTFOUND')
    return {
      what: `${host} does not exist (ENOTFOUND)`,
      help: 'look for a typo in the host; it can take hours until a new name is known everywhere',
    }
  return {
    what: `the resolvers do not resolve ${host} (${code})`,
    help:
      'is this machine online, and are the resolvers in its /etc/resolv.conf right? ' +
      "Or the host's DNS fails: try again",
  }
}

/** @returns the addresses that take connections; none where the step failed */
export async function connectTcp(
  { host, port }: EncoderUrl,
  addresses: readonly string[],
  ms: number,
  steps: ProbeSteps,
): Promise<string[]> {
  const tried = await Promise.all(
    addresses.map(async (address) => ({ address, ...(await dial(address, port, ms)) })),
  )
  const open = tried.filter(({ code }) => code === undefined)
  const shut = tried.flatMap(({ address, code }) => (code === undefined ? [] : { address, code }))
  if (open.length === 0) {
    steps.fail('tcp', ...shut.map(({ address, code }) => portProblem(address, port, code)))
    return []
  }
  const fastest = Math.min(...open.map((one) => one.ms))
  const listed = open.map(({ address }) => `${bracketed(address)}:${port}`).join(', ')
  steps.ok('tcp', `${listed} takes connections (${fastest} ms)`)
  for (const { address, code } of shut) {
    const { what } = portProblem(address, port, code)
    steps.note('tcp', `${what}: another address of ${host} works, but Node 18 tries only the first`)
  }
  return open.map(({ address }) => address)
}

interface Dialled {
  readonly ms: number
  /** Why there was no connection. */
  readonly code?: string
}

async function dial(address: string, port: number, ms: number): Promise<Dialled> {
  const start = performance.now()
  const socket = connect({ host: address, port })
  try {
    await within(
      ms,
      new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve)
        socket.once('error', reject)
      }),
    )
    return { ms: Math.round(performance.now() - start) }
  } catch (error) {
    return { ms, code: codeOf(error) }
  } finally {
    socket.on('error', () => undefined)
    socket.destroy()
  }
}

function portProblem(address: string, port: number, code: string): ProbeProblem {
  const where = `${bracketed(address)}:${port}`
  if (code === 'ECONNREFUSED')
    return {
      what: `nothing listens at ${where} (ECONNREFUSED)`,
      help:
        `is the port right (pinwarden's usual one is 9098), and is pinwarden running? ` +
        'The operator can check with: ss -ltn',
    }
  if (code === 'ETIMEDOUT')
    return {
      what: `no answer from ${where} in time`,
      help:
        "a firewall drops it, there or on this machine's side, or the host is down: " +
        "ask the operator whether the port is open to this machine's address",
    }
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH')
    return {
      what: `there is no route from here to ${where} (${code})`,
      help:
        'a router or firewall reports this: check the network of this machine, that the ' +
        'address is public, and for an IPv6 address that this machine has IPv6',
    }
  return { what: `no connection to ${where} (${code})`, help: 'check the network of this machine' }
}
