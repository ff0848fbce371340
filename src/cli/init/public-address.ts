/** Chooses the address for the gate to listen on, and checks that it is free. */
import { isIP, isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { blockListOf, isLoopback } from '../../settings/values/network.js'
import { refusedAt, whyNotFree } from '../../daemon/start-problems.js'
import { CommandError } from '../report.js'

/** Addresses that are not reachable from elsewhere: RFC 1918, 6598, 3927, 4193, 4291. */
const privateNetworks = blockListOf([
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  'fc00::/7',
  'fe80::/10',
])

/**
 * The first public IPv4 address, else the first public IPv6 one, else a private one (the host is
 * then behind a router that maps the port), else loopback.
 */
export function publicAddress(interfaces = networkInterfaces()): string {
  const addresses = ownAddresses(interfaces)
  const open = addresses.filter((address) => !isPrivate(address))
  return open.find(isIPv4) ?? open[0] ?? addresses.find(isIPv4) ?? '127.0.0.1'
}

/**
 * The addresses at which other machines reach the cluster's ports; a port on loopback only is no
 * danger.
 */
export function addressesSeen(host: string, interfaces = networkInterfaces()): string[] {
  if (isLoopback(host)) return []
  return isIP(host) !== 0 && /^[0:.]+$/.test(host) ? ownAddresses(interfaces) : [host]
}

const ownAddresses = (interfaces: ReturnType<typeof networkInterfaces>): string[] =>
  Object.values(interfaces)
    .flatMap((all) => all ?? [])
    .filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0)
    .map(({ address }) => address)

const isPrivate = (address: string): boolean =>
  privateNetworks?.check(address, isIPv4(address) ? 'ipv4' : 'ipv6') === true

/** @throws CommandError when the address is taken, or not of this machine */
export async function refuseIfTaken(host: string, port: number): Promise<void> {
  const code = await refusedAt({ host, port })
  if (code !== undefined) throw new CommandError(whyNotFree(code, { host, port }), '--host, --port')
}
