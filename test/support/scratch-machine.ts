/** A copy of this machine that a script may change as root: nothing of it is left afterwards. */
import { execFile, spawnSync } from 'node:child_process'

/**
 * Mounts an overlay over `/`, in a mount namespace of its own, and runs the rest of its arguments
 * in it. What is written lands in memory; /proc, /dev and the shared paths are the machine's.
 */
const enter = `
set -e
scratch=$1 shared=$2
shift 2
mount -t tmpfs scratch "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
places=lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work
mount -t overlay scratch -o "$places" "$scratch/root"
for path in /proc /dev $shared; do mount --rbind "$path" "$scratch/root$path"; done
exec chroot "$scratch/root" "$@"`

const inScratch = (shared: readonly string[], command: readonly string[]) => {
  const mounted = '/mnt'
  return ['--mount', 'sh', '-c', enter, 'enter', mounted, shared.join(' '), ...command]
}

/** For a test's `skip`: false, or why this machine cannot be copied. */
export const noScratchMachine =
  spawnSync('unshare', inScratch([], ['true'])).status === 0
    ? false
    : 'only root, with overlays and mount namespaces, copies the machine'

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * @param script for `sh`
 * @param shared directories that the script sees, and changes, as they are on this machine
 */
export function onScratchMachine(
  script: string,
  shared: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const whole = { ...process.env, NODE_OPTIONS: '', DEBIAN_FRONTEND: 'noninteractive', ...env }
  const args = inScratch(shared, ['sh', '-c', script])
  return new Promise((resolve) => {
    execFile('unshare', args, { env: whole }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
  })
}
