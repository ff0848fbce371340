/** A release and a root to install it into, both of the test's own and gone after it. */
import { createHash } from 'node:crypto'
import { execFile } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

export const repository = fileURLToPath(new URL('../../../', import.meta.url))

export interface Outcome {
  readonly code: number
  /** Both outputs together. */
  readonly text: string
}

export interface Staging {
  /** Where the release lies unpacked. */
  readonly release: string
  /** What stands for `/`. */
  readonly root: string
  readonly install: () => Promise<Outcome>
  /** Without a word of which node to take. */
  readonly installPlainly: () => Promise<Outcome>
  readonly uninstall: (...flags: string[]) => Promise<Outcome>
  /** Runs the program that `current` points to. */
  readonly program: (...args: string[]) => Promise<Outcome>
  /** The calls of npm so far, where npm is only pretended. */
  readonly npmCalls: () => readonly string[]
}

/** @param npm `pretended` takes the dependencies from the repository: fast, and without network */
export function stage(t: Test, npm: 'real' | 'pretended'): Staging {
  const base = mkdtempSync(join(tmpdir(), 'pinwarden-'))
  t.teardown(() => {
    rmSync(base, { recursive: true, force: true })
  })
  const release = join(base, 'release')
  const root = join(base, 'root')
  unpackRelease(release)
  const npmLog = join(base, 'npm.log')
  const node = npm === 'real' ? process.execPath : nodeBesidePretendedNpm(join(base, 'bin'), npmLog)
  const current = join(root, 'opt/pinwarden/current/dist/src/main.js')
  return {
    release,
    root,
    install: () => run(join(release, 'deploy/install.sh'), ['--node', node, '--root', root]),
    installPlainly: () =>
      run('env', [
        `PATH=${dirname(node)}:/usr/bin:/bin`,
        join(release, 'deploy/install.sh'),
        '--root',
        root,
      ]),
    uninstall: (...flags) => run(join(release, 'deploy/uninstall.sh'), [...flags, '--root', root]),
    program: (...args) => run(process.execPath, [current, ...args]),
    npmCalls: () => (existsSync(npmLog) ? readFileSync(npmLog, 'utf8').trim().split('\n') : []),
  }
}

/** What a release holds; no sources, so that the installer never builds in the repository. */
function unpackRelease(release: string): void {
  const parts = ['dist/src', 'package.json', 'package-lock.json', '.npmrc', 'deploy', 'systemd']
  const optional = ['config.schema.json', 'config.example.json']
  for (const part of [...parts, ...optional.filter((file) => existsSync(repository + file))]) {
    cpSync(repository + part, join(release, part), { recursive: true })
  }
}

/** The installer calls the npm that lies beside the node it was given, as they come together. */
function nodeBesidePretendedNpm(bin: string, log: string): string {
  mkdirSync(bin)
  const npm = `#!/usr/bin/env bash
echo "\${@:3}" >> '${log}'
case "$*" in
  *'ci --omit=dev'*) ln -s '${repository}node_modules' "$2/node_modules" ;;
  *'run --silent build') touch "$2/dist/src/main.js" ;;
esac
`
  writeFileSync(join(bin, 'npm'), npm)
  chmodSync(join(bin, 'npm'), 0o755)
  symlinkSync(process.execPath, join(bin, 'node'))
  return join(bin, 'node')
}

/** Bounded in time, and without what the test runner puts into its children's environment. */
export function run(command: string, args: readonly string[]): Promise<Outcome> {
  const own = /^(NODE_OPTIONS|NODE_V8_COVERAGE|DESTDIR|PINWARDEN_.*|_?TAP.*)$/
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)))
  return new Promise((resolve) => {
    // The runner puts its options back into whatever environment a child is given.
    const plain = ['-u', 'NODE_OPTIONS', command, ...args]
    execFile('env', plain, { env, timeout: 60_000 }, (error, stdout, stderr) => {
      const text = stdout + stderr
      if (error === null) resolve({ code: 0, text })
      else if (typeof error.code === 'number') resolve({ code: error.code, text })
      else resolve({ code: -1, text: text + error.message })
    })
  })
}

/** Path → mode, time of change and contents of everything below a directory. */
export function fingerprint(directory: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    below(directory).map((path) => {
      const full = join(directory, path)
      const stat = lstatSync(full)
      const mode = stat.mode.toString(8)
      // The time of a directory is left out: a new file is made in it to be compared with the old.
      if (stat.isDirectory()) return [path, mode]
      const contents = stat.isSymbolicLink() ? readlinkSync(full) : digestOf(full)
      return [path, `${mode} ${stat.mtime.toISOString()} ${contents}`]
    }),
  )
}

const digestOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

/** readdir's own recursion would follow links, out of the directory. */
function below(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => [
    entry.name,
    ...(entry.isDirectory()
      ? below(join(directory, entry.name)).map((path) => join(entry.name, path))
      : []),
  ])
}
