/** The firewall rules: taken by nft and ufw, and closed to packets that really come. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { missing } from './programs.js'
import { repository, run } from './staging.js'
import { snapshotFrom } from '../support/snapshot-from.js'

const rules = `${repository}deploy/firewall/pinwarden.nft`
const ufwScript = `${repository}deploy/firewall/ufw.sh`
const doors = [5001, 9094, 9095, 9096, 9097]
const gatePort = snapshotFrom({}).config.listen.port

const seen = await run('nft', ['list', 'tables'])
const noNft = missing('nft') || (seen.code !== 0 && `nft may do nothing here: ${seen.text.trim()}`)

const tried = 'ip link add here type veth peer name away && nft add table inet tried'
const isolated = await run('unshare', ['-n', 'sh', '-c', tried])
const noNetwork =
  missing('nft', 'unshare', 'nsenter', 'ip') ||
  (isolated.code !== 0 && `no network of its own can be made here: ${isolated.text.trim()}`)

const status = await run('ufw', ['status'])
const noUfw =
  missing('ufw') || (status.code !== 0 && `ufw does not work here: ${status.text.trim()}`)

/** No program listens, so an open port answers with a reset, and a closed one is silent. */
const twoMachines = `
set -eu
unshare -n sleep 20 & other=$!
trap 'kill $other' EXIT
# Until the other has left this network.
while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do :; done
there() { nsenter -t $other -n "$@"; }
ip link set lo up
ip link add here type veth peer name away netns $other
ip addr add 192.0.2.1/24 dev here
ip link set here up
there ip link set away up
there ip addr add 192.0.2.7/24 dev away
there ip addr add 192.0.2.8/24 dev away
load() { sed 's/swarm_peers_v4 = { 127.0.0.1 }/swarm_peers_v4 = { 192.0.2.8 }/' "$1" | nft -f -; }
load "$1"
load "$1"
nft list ruleset
knock='
  import { connect } from "node:net"
  const [who, localAddress, ...ports] = process.argv.slice(1)
  for (const port of ports) {
    const socket = connect({ port, host: "192.0.2.1", localAddress, timeout: 1500 })
    const say = (how) => { console.log(who, port, how); socket.destroy() }
    socket.on("connect", () => say("connected"))
    socket.on("error", (error) => say(error.code === "ECONNREFUSED" ? "refused" : error.code))
    socket.on("timeout", () => say("silent"))
  }'
ports='${[...doors, gatePort].join(' ')}'
there ${process.execPath} --input-type=module -e "$knock" stranger 192.0.2.7 $ports
there ${process.execPath} --input-type=module -e "$knock" peer 192.0.2.8 $ports
${process.execPath} --input-type=module -e "$knock" itself 192.0.2.1 $ports
`

t.test('nft accepts the rules', { skip: noNft }, async (t) => {
  t.same(await run('nft', ['-c', '-f', rules]), { code: 0, text: '' })
})

t.test('packets from another machine', { skip: noNetwork }, async (t) => {
  const { code, text } = await run('unshare', ['-n', 'bash', '-c', twoMachines, 'bash', rules])
  if (code !== 0) {
    t.fail('the two networks could not be made', { text })
    return
  }
  const of = (who: string) =>
    Object.fromEntries(
      [...text.matchAll(new RegExp(`^${who} (\\d+) (\\w+)$`, 'gm'))].map(([, port, how]) => [
        Number(port),
        how,
      ]),
    )
  const [open, closed] = ['refused', 'silent']

  t.test('reach the gate, and none of the ports that bypass it', async (t) => {
    const expected = doors.map((port) => [port, closed])
    t.same(of('stranger'), Object.fromEntries([...expected, [gatePort, open]]))
  })
  t.test('reach the swarm if they come from a peer, and nothing else', async (t) => {
    const expected = doors.map((port) => [port, port === 9096 ? open : closed])
    t.same(of('peer'), Object.fromEntries([...expected, [gatePort, open]]))
  })
  t.test('meet one set of rules, however often it was loaded', async (t) => {
    t.equal(text.match(/chain doors/g)?.length, 1)
  })
  t.test('from this machine itself are not affected', async (t) => {
    const expected = [...doors, gatePort].map((port) => [port, open])
    t.same(of('itself'), Object.fromEntries(expected))
  })
})

t.test('ufw accepts the rules', { skip: noUfw }, async (t) => {
  const directory = t.testdir({})
  // The real program, kept from changing this machine.
  const dry = join(directory, 'ufw')
  writeFileSync(dry, '#!/bin/sh\nexec /usr/sbin/ufw --dry-run "$@"\n')
  chmodSync(dry, 0o755)
  const { code, text } = await run('env', [
    `PATH=${directory}:${process.env.PATH ?? ''}`,
    'sh',
    ufwScript,
  ])
  t.equal(code, 0)
  t.match(text, new RegExp(`^### tuple ### allow tcp ${gatePort} `, 'm'))
  for (const port of doors) t.match(text, new RegExp(`^### tuple ### deny any ${port} `, 'm'))
})

t.test('shellcheck has nothing to say about them', { skip: missing('shellcheck') }, async (t) => {
  t.same(await run('shellcheck', [ufwScript]), { code: 0, text: '' })
})
