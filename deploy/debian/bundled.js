/** Which packages are in bundles, by esbuild's accounts of them, and how each one is licensed. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @param metaFiles esbuild's accounts
 * @returns name, version and licence of each package, and what its licence file says, if it has one
 */
export function bundledPackages(metaFiles) {
  const outputs = metaFiles.flatMap((file) =>
    Object.values(JSON.parse(readFileSync(file, 'utf8')).outputs),
  )
  const inputs = outputs.flatMap((output) => Object.keys(output.inputs))
  const homes = inputs.map((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0])
  return [...new Set(homes.filter((home) => home !== undefined))].sort().map((home) => {
    const { name, version, license, author } = JSON.parse(
      readFileSync(join(home, 'package.json'), 'utf8'),
    )
    const file = readdirSync(home).find((entry) => /^(licen[cs]e|copying)/i.test(entry))
    const text = file === undefined ? undefined : readFileSync(join(home, file), 'utf8')
    const by = typeof author === 'string' ? author : author?.name
    return { name, version, license, author: by, text }
  })
}
