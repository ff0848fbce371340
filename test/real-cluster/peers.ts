/** Two peers of one cluster: one hangs, one lags behind, and both get another release. */
import t from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import { cidsFrom, pinAll, programs, startHost } from './host.js'
import { forEach, must, scenario, untilNone } from './scenario.js'

t.setTimeout(900_000)

await scenario(
  t,
  'L9 a peer hangs while it handles unpins, another encoder pins meanwhile',
  400,
  async (t) => {
    const host = await startHost(t, { peers: 2, config: { cluster: { writeTimeoutMs: 3000 } } })
    const [one, two] = host.peers
    if (two === undefined) throw new Error('one peer only')
    const again = new Map<string, number>()
    let open = 0
    // All is written to one peer until it is down: then to the other.
    for (let round = 0; round < 8; round++) {
      const cids = cidsFrom(round * 1000, 160)
      const victim = round % 2 === 0 ? one : two
      await pinAll(host, cids, 'alpha', '', [200, 202])
      for (const peer of [one, two])
        await untilNone('not at both peers', 60, () => host.lacking(cids, 'alpha', peer))
      let done = 0
      await forEach(cids, 16, async (cid) => {
        const { status } = await host.gate.ask('DELETE', `/pins/${cid}`)
        if (++done === 20 + round) victim.freeze()
        if (status === 200) return
        open++
        again.set(cid, (await host.gate.ask('POST', `/pins/${cid}`, 'beta')).status)
      })
      victim.thaw()
      await delay(3000)
    }
    must(open > 0, 'nothing was in flight when a peer hung')
    const promised = [...again].filter(([, status]) => status < 300).map(([cid]) => cid)
    for (const peer of [one, two])
      await untilNone('of beta and not there', 100, () => host.lacking(promised, 'beta', peer))
    const kept = `${promised.length} of beta's pins are at both peers`
    return `${open} unpins without an answer; ${kept}`
  },
)

await scenario(
  t,
  'L35 a peer is killed under load and lags: reads say what was written',
  420,
  async (t) => {
    const host = await startHost(t, { peers: 2 })
    const [one, two] = host.peers
    if (two === undefined) throw new Error('one peer only')
    let [longestMs, reads, differed] = [0, 0, 0]
    for (const [round, killed] of [one, two, one, two].entries()) {
      const cids = cidsFrom(round * 1000, 150)
      const pinned: string[] = []
      const pinning = forEach(cids, 8, async (cid) => {
        const { status } = await host.gate.ask('POST', `/pins/${cid}`)
        if (status === 200) pinned.push(cid)
        if (pinned.length === 75) await killed.kill()
      })
      await pinning
      await killed.comeBack()
      const startMs = performance.now()
      let lacking: readonly string[] = []
      do {
        for (const cid of pinned.slice(-40)) {
          const { status, text } = await host.gate.ask('GET', `/pins/${cid}`)
          reads++
          const isUnpinned = status === 200 && !/"status":"(?!unpinned|remote)/.test(text)
          if (isUnpinned) differed++
        }
        lacking = [
          ...(await host.lacking(pinned, 'alpha', one)),
          ...(await host.lacking(pinned, 'alpha', two)),
        ]
      } while (lacking.length > 0 && performance.now() - startMs < 80_000)
      longestMs = Math.max(longestMs, performance.now() - startMs)
      if (lacking.length > 0) {
        const logLines = host.gate.linesOf(
          'an endpoint of the cluster fell behind; the gate reads from others',
        )
        must(
          logLines.length > 0,
          `a peer lacks ${lacking.length} pins for 80 s, and the log does not say so`,
        )
      }
    }
    must(differed === 0, `${differed} of ${reads} reads of what was pinned say unpinned`)
    const lag = (longestMs / 1000).toFixed(1)
    const logLines = host.gate.linesOf(
      'an endpoint of the cluster fell behind; the gate reads from others',
    ).length
    return `${reads} reads, none says unpinned; the longest lag ${lag} s; told ${logLines} times`
  },
)

await scenario(t, 'a rolling upgrade of both peers under load', 240, async (t) => {
  const host = await startHost(t, { peers: 2 })
  const [one, two] = host.peers
  if (two === undefined) throw new Error('one peer only')
  const pinned: string[] = []
  const bad: string[] = []
  let isOver = false
  let asked = 0
  const load = forEach(cidsFrom(0, 100_000), 4, async (cid) => {
    if (isOver) return
    const { status, text } = await host.gate.ask('POST', `/pins/${cid}`)
    if (status === 200 || status === 202) pinned.push(cid)
    else bad.push(`POST ${status} ${text.trim()}`)
    const read = await host.gate.ask('GET', `/pins/${pinned[0] ?? cid}`)
    if (read.status !== 200) bad.push(`GET ${read.status} ${read.text.trim()}`)
    asked += 2
    await delay(20)
  })
  for (const [peer, other] of [
    [one, two],
    [two, one],
  ] as const) {
    await delay(3000)
    await peer.stop()
    await delay(2000)
    await peer.comeBack(other, programs.next)
  }
  await delay(3000)
  isOver = true
  await load
  must(bad.length === 0, `${bad.length} of ${asked} requests failed, such as ${bad[0] ?? ''}`)
  for (const peer of [one, two])
    await untilNone('not there', 60, () => host.lacking(pinned, 'alpha', peer))
  const released = programs.next === undefined ? 'the same release' : 'another release'
  return `to ${released}: ${asked} requests, none failed; ${pinned.length} pins are at both peers`
})
