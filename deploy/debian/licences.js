/** Prints the licences of all packages that are in bundles, by esbuild's accounts of them. */
import { bundledPackages } from './bundled.js'

for (const { name, version, license, text } of bundledPackages(process.argv.slice(2))) {
  process.stdout.write(`\n==== ${name} ${version} (${license})\n\n`)
  process.stdout.write(text ?? `The package says no more than: ${license}\n`)
}
