/** Builds the probe as one file without dependencies; its one argument is the version to bear. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = new URL('../../', import.meta.url)
process.chdir(fileURLToPath(root))
const { version: own } = JSON.parse(readFileSync('package.json', 'utf8'))
const [version = own] = process.argv.slice(2)

const { metafile, outputFiles } = await build({
  entryPoints: ['src/cli/probe/standalone.ts'],
  bundle: true,
  minify: true,
  platform: 'node',
  format: 'esm',
  // The probe takes Node 18. An older Node must be able to read the file, to say that it is too old.
  target: 'node14.18',
  define: { PINWARDEN_VERSION: JSON.stringify(version) },
  legalComments: 'none',
  logLevel: 'warning',
  outdir: 'dist',
  write: false,
  metafile: true,
})
mkdirSync('dist', { recursive: true })
writeFileSync('dist/probe.meta.json', JSON.stringify(metafile))

const header = `\
// pinwarden-probe ${version}: does what an encoder does with its IPFS_CLUSTER_ENDPOINT, and says what
// works and what does not. MIT licence. To see how it is used: node pinwarden-probe.mjs --help
`
const footer = comment(`It contains, with their licences:\n${licences()}${notices()}`)
writeFileSync('dist/pinwarden-probe.mjs', header + outputFiles[0].text + footer)

function licences() {
  const script = ['deploy/debian/licences.js', 'dist/probe.meta.json']
  return execFileSync(process.execPath, script, { encoding: 'utf8' })
}

/** The comments of the packages' sources that name a holder of rights. */
function notices() {
  const inputs = Object.keys(metafile.inputs).filter((path) => path.includes('node_modules/'))
  const comments = inputs.flatMap((path) => readFileSync(path, 'utf8').match(/(?:^\/\/.*\n)+/gm))
  const bearing = comments.filter((text) => text !== null && /copyright/i.test(text))
  return bearing.map((text) => `\n${text.replace(/^\/\/ ?/gm, '')}`).join('')
}

function comment(text) {
  return text.trimEnd().replace(/^/gm, '// ').replace(/ +$/gm, '') + '\n'
}
