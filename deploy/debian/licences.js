/** Prints the licences of all packages that are in bundles, by esbuild's accounts of them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const outputs = process.argv
  .slice(2)
  .flatMap((file) => Object.values(JSON.parse(readFileSync(file, 'utf8')).outputs))
const inputs = outputs.flatMap((output) => Object.keys(output.inputs))
const homes = inputs.map((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0])

for (const home of [...new Set(homes.filter((home) => home !== undefined))].sort()) {
  const { name, version, license } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  process.stdout.write(`\n==== ${name} ${version} (${license})\n\n`)
  const file = readdirSync(home).find((entry) => /^(licen[cs]e|copying)/i.test(entry))
  if (file === undefined) process.stdout.write(`The package says no more than: ${license}\n`)
  else process.stdout.write(readFileSync(join(home, file), 'utf8'))
}
