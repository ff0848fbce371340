/**
 * The container, without an engine: each instruction of the Dockerfile and each step of the compose
 * file is done on a copy of this machine, by the user, with the environment, the mounts and the
 * rights that an engine would give; in the end there is a healthy daemon that pins.
 */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  all,
  type Bind,
  compose,
  environment,
  operatorSteps,
  wordsOf,
} from '../deploy/container-files.js'
import { certificate } from '../support/certificate.js'
import { generatedCid, startFakeCluster } from '../support/fake-cluster/index.js'
import { noScratchMachine, onScratchMachine } from '../support/scratch-machine.js'
import type { Steps } from './steps.js'

const { gate } = compose.services
const cid = generatedCid(1)

export async function containerSteps(steps: Steps, place: string, context: string): Promise<void> {
  await steps.step('container: built, configured, healthy, a pin', async () => {
    if (noScratchMachine !== false) return `not tested here: ${noScratchMachine}`
    const cluster = await startFakeCluster()
    steps.teardown(() => cluster.close())
    const files = join(place, 'container')
    mkdirSync(files)
    writeFileSync(join(files, 'fullchain.pem'), certificate.cert)
    writeFileSync(join(files, 'privkey.pem'), certificate.key)
    const script = [...image(context), ...operator(cluster.url, files), ...daemon(files)]
    const { code, stdout, stderr } = await onScratchMachine(script.join('\n'), [place])
    assert.equal(code, 0, `${stdout}\n${stderr}`)
    assert.match(stdout, /^healthy$/m)
    assert.match(stdout, /^the root is read-only$/m)
    assert.match(stdout, /^ended with 0$/m)
    assert(cluster.requests.some(({ method, target }) => method === 'POST' && target.includes(cid)))
    return `uid ${all('USER').at(-1) ?? ''}, read-only root, no capability`
  })
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** What the base has not, this machine may have. */
const likeTheBase = [
  'set -e',
  'dpkg --purge pinwarden >/dev/null 2>&1 || true',
  'userdel pinwarden 2>/dev/null || true',
  'groupdel pinwarden 2>/dev/null || true',
  'for file in passwd group shadow gshadow; do sed -i "/^[^:]*:[^:]*:1000:/d" /etc/$file; done',
  'rm -rf /etc/pinwarden /var/lib/pinwarden /run/pinwarden',
]

/** The RUN instructions, with the directory of the package as the context. */
function image(context: string): string[] {
  const runs = all('RUN').map((rest) => {
    const target = /^--mount=type=bind,target=(\S+) +/.exec(rest)
    if (target === null) return rest
    const [mount, place] = target
    return `mkdir ${place} && mount --bind ${context} ${place} && ${rest.slice(mount.length)}`
  })
  return [...likeTheBase, ...runs.map((run) => `sh -ec ${quoted(run)} >/dev/null`)]
}

/** A process of the container: an engine gives it this environment, this user, these rights. */
function asInContainer(words: readonly string[]): string {
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  const [uid = '', gid = ''] = (all('USER').at(-1) ?? '').split(':')
  const user = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups']
  const rights = [
    ...(gate.cap_drop?.includes('ALL') ? ['--bounding-set=-all', '--inh-caps=-all'] : []),
    ...(gate.security_opt?.includes('no-new-privileges:true') ? ['--no-new-privs'] : []),
  ]
  const command = ['env', '-i', path, ...variables, 'setpriv', ...user, ...rights, ...words]
  return command.map((word) => (/^[\w./:=@,-]+$/.test(word) ? word : quoted(word))).join(' ')
}

/** The operator's steps: the engine's own are done as it does them. */
function operator(clusterUrl: string, files: string): string[] {
  const run = 'docker compose run --rm gate '
  return [
    `cd ${files}`,
    ...operatorSteps.flatMap((step) => {
      if (step === 'docker compose up -d') return []
      if (!step.startsWith(run)) return [step.replace(/^sudo /, '')]
      const words = step.slice(run.length).split(' ')
      const args = words.map((word) => word.replace('http://cluster:9094', clusterUrl))
      return [...mounts(), `${asInContainer([...wordsOf('ENTRYPOINT'), ...args])} >said`]
    }),
  ]
}

/** Volumes, and what is kept in memory; a named volume begins with what the image has there. */
function mounts(): string[] {
  const binds = gate.volumes.filter((volume): volume is Bind => typeof volume !== 'string')
  const named = gate.volumes.filter((volume) => typeof volume === 'string')
  return [
    ...binds.map(({ source, target }) => `mount --bind ${source} ${target}`),
    ...named.map((volume) => volume.split(':')[1] ?? '').map(volumeOf),
    ...(gate.tmpfs ?? []).map((each) => {
      const [at = '', options = ''] = each.split(/:(.*)/)
      return `mount -t tmpfs -o ${options} tmpfs ${at}`
    }),
    ...(gate.read_only === true ? ['mount -o remount,ro /'] : []),
  ]
}

/** Another file system than the root's, which is read-only soon; of the owner in the image. */
function volumeOf(at: string): string {
  const owned = `mode=$(stat -c %a ${at}),uid=$(stat -c %u ${at}),gid=$(stat -c %g ${at})`
  return `mount -t tmpfs -o ${owned} tmpfs ${at}`
}

function daemon(files: string): string[] {
  const serve = asInContainer([...wordsOf('ENTRYPOINT'), ...wordsOf('CMD')])
  const health = asInContainer(wordsOf('HEALTHCHECK'))
  return [
    `! touch /read-only 2>/dev/null && echo 'the root is read-only'`,
    `${serve} >${files}/log 2>&1 & daemon=$!`,
    `until ${health} >${files}/status; do kill -0 $daemon || { cat ${files}/log; exit 1; }; done`,
    'echo healthy',
    `key=$(grep -o 'pw_[0-9A-Za-z]*' ${files}/said | head -n 1)`,
    // Under the name of the certificate, as an encoder would be given it.
    `NODE_EXTRA_CA_CERTS=${files}/fullchain.pem \\
      pinwarden probe "https://encoder-1:$key@127.0.0.1:9098" ${cid} >${files}/probe ||
      { cat ${files}/probe; exit 1; }`,
    'kill -TERM $daemon',
    'wait $daemon && echo "ended with $?"',
  ]
}
