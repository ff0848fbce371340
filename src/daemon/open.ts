/** Opens the gate with everything it needs, and closes it without losing a request. */
import { Server as TlsServer } from 'node:https'
import { Server as NetServer } from 'node:net'
import type { FastifyInstance, FastifyListenOptions } from 'fastify'
import { ClusterLink } from '../cluster/link.js'
import { openLeases } from '../leases/leases.js'
import { Listings } from '../listings/listings.js'
import { SeveralPeers } from '../listings/several-peers.js'
import { SpoolRoom } from '../listings/spool-room.js'
import { followPins } from '../progress/progress.js'
import { isLoopback } from '../settings/keyring/network.js'
import { createAwaitSettled } from '../gate/forward/await-settled.js'
import { SharedKeyUses } from '../store/key-uses.js'
import { StoreTurns } from '../store/turns.js'
import { BudgetUse } from '../gate/limit/budget-use.js'
import { Connections } from '../gate/receive/connections.js'
import { createGate } from '../gate/gate.js'
import { tellOf } from './endpoint-news.js'
import { createServeListing } from '../gate/forward/listing.js'
import { createHoldPin } from '../gate/forward/ownership.js'
import { createShowOwn } from '../gate/forward/own-view.js'
import type { OpenGate, Opening } from './open-gate.js'
import { openFallback } from './open-fallback.js'
import { openJournal } from './open-journal.js'
import { openStore } from './open-store.js'
import { Outage } from '../gate/outage/outage.js'
import { Quota } from '../gate/forward/quota.js'
import { Replay } from '../gate/outage/replay.js'
import { addressesOf, refusePlainHttp } from './plain-http.js'

export type { OpenGate, OpenGateJournal } from './open-gate.js'

/** @throws when the address cannot be listened on, or journal or fallback cannot be had */
export async function openGate({
  current,
  log,
  tls,
  observe = () => undefined,
  onPinNews = () => undefined,
  version,
  stateDirectory,
  passed,
}: Opening): Promise<OpenGate> {
  const { listen } = current().config
  // Judged before anything is opened; a name once more when it is known what it was bound to.
  const addresses = passed === undefined ? await addressesOf(listen.host) : [passed.host]
  refusePlainHttp(listen, addresses, passed !== undefined)
  const cluster = new ClusterLink(current(), tellOf(log))
  const { directory = '/var/tmp', spoolBytesMax } = current().config.listing
  const room = new SpoolRoom(directory, spoolBytesMax, (err) => {
    log.warn({ directory, err }, 'a listing is not spooled: it passes through, for one at a time')
  })
  const tell = (level: 'info' | 'warn' | 'error', fields: object, message: string) => {
    log[level](fields, message)
  }
  const keepIn = current().config.lookBack?.directory ?? stateDirectory
  const severalPeers = await SeveralPeers.open({ directory: keepIn, tell })
  const listings = new Listings(cluster, room, severalPeers)
  const userAgent = `pinwarden/${version}`
  const store = await openStore(current(), tell)
  const keyUses = store && new SharedKeyUses(store)
  const leases = await openLeases({
    link: cluster,
    config: () => current().config.cluster,
    userAgent,
    tell,
    keepIn,
    shared: store && new StoreTurns(store),
  })
  const { ledger, holdings, unfinished } = leases
  const follower = followPins({
    link: cluster,
    config: () => current().config.cluster,
    userAgent,
    tell,
    onNews: (news) => {
      onPinNews(news)
      if (news.result === 'pinned' || news.result === 'recovered') void fallback?.pinned(news.cid)
    },
  })
  const quota = new Quota(holdings, unfinished)
  const journal = await openJournal(current().config, tell)
  const headers = { accept: 'application/json', 'user-agent': userAgent }
  const replay =
    journal &&
    new Replay({
      ...{ journal, ledger, quota, follower, current, tell },
      isClusterFit: () => cluster.current.isFit,
      headers,
    })
  const fallback =
    journal &&
    (await openFallback({ journal, link: cluster, current, headers, tell }).catch(
      async (error: unknown) => {
        await Promise.all([journal.close(), cluster.end()])
        throw error
      },
    ))
  const outage = new Outage({
    journal,
    quota,
    onAccepted: (cid) => {
      replay?.hurry()
      fallback?.accepted(cid)
    },
  })
  const connections = new Connections()
  const budgetUse = new BudgetUse()
  const gate = await createGate({
    current,
    log,
    observe: (line) => {
      observe(line)
      keyUses?.observe(line)
    },
    tls,
    cluster,
    connections,
    budgetUse,
    userAgent,
    serveListing: createServeListing(listings),
    holdPin: createHoldPin({ ledger, quota, follower, outage }),
    showOwn: createShowOwn(holdings),
    awaitSettled: createAwaitSettled(follower, outage),
    outage,
    store,
  })
  const { host, port, lingerMs, shutdownMs } = listen
  const close = async (lingerMs: number): Promise<void> => {
    // Whoever waits for a pin is answered now.
    follower.close()
    outage.close()
    replay?.close()
    // Node's HTTP server would end connections that are idle, with what is on its way on them.
    NetServer.prototype.close.call(gate.server)
    await connections.retire(lingerMs)
    const closing = gate.close()
    await connections.drain(shutdownMs)
    await closing
    listings.close()
    room.close()
    await leases.close()
    await cluster.end()
    await fallback?.close()
    await journal?.close()
    await keyUses?.close()
    store?.close()
  }
  try {
    await gate.listen(passed === undefined ? { host, port } : inherited(passed.descriptor))
    refusePlainHttp(listen, boundTo(gate), passed !== undefined)
  } catch (error) {
    await close(0)
    throw error
  }
  const isInClear = tls === undefined && boundTo(gate).some((address) => !isLoopback(address))
  // A host that is not loopback was warned of with the settings.
  if (isInClear && isLoopback(host)) log.warn({}, inClear)

  return {
    url: urlOf(gate.server.address(), tls !== undefined),
    get requestsUnderWay() {
      return connections.requestsUnderWay
    },
    budgetLeft: (encoder, budget) => budgetUse.remaining(encoder, budget),
    leases,
    unsettled: () => follower.unsettled(),
    journal: journal &&
      replay && {
        journal,
        again: () => {
          replay.again()
        },
        report: () => ({ waiting: journal.size, ...replay.counts }),
      },
    fallback: fallback && (() => fallback.report),
    keyUses,
    store: store && (() => store.report),
    get endpoints() {
      return cluster.current.endpoints.map((endpoint) => endpoint.report)
    },
    isClusterUp: () => cluster.probe(),
    apply: (material) => {
      if (cluster.apply(current())) {
        listings.clear()
        leases.startAnew()
        fallback?.forgetComparison()
      }
      store?.take(current().config.store, current().storeSecrets)
      if (material !== undefined && gate.server instanceof TlsServer) {
        gate.server.setSecureContext(material)
      }
    },
    close: () => close(lingerMs),
  }
}

const inClear = 'listen.allowPlainHttp: keys, CIDs and answers travel in clear'

/** Each address that is listened on; `localhost` may be two. */
const boundTo = (gate: FastifyInstance): readonly string[] =>
  gate.addresses().flatMap((bound) => (typeof bound === 'string' ? [] : [bound.address]))

/** For Node the descriptor is enough; a host that is none keeps Fastify from looking one up. */
const inherited = (fd: number): FastifyListenOptions =>
  ({ fd, host: '0.0.0.0' }) as FastifyListenOptions

function urlOf(
  address: { address: string; family: string; port: number } | string | null,
  isTls: boolean,
): string {
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP')
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${isTls ? 'https' : 'http'}://${host}:${address.port}`
}
