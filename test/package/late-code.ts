/** Which files of the installed program are loaded late, and which of them have been. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const program = '/usr/lib/pinwarden/dist/src/cli'

/** The files that any other file of the program names in an `import()`. */
export function lateFiles(): string[] {
  const texts = readdirSync(program)
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(join(program, name), 'utf8'))
  const named = texts.flatMap((text) =>
    [...text.matchAll(/\bimport\(\s*["']\.\/([^"']+)["']\s*\)/g)].map(([, name]) => name ?? ''),
  )
  return [...new Set(named)].sort()
}

/** The files that processes loaded, by the coverage that V8 wrote for each one of them. */
export function loadedFiles(coverage: string): ReadonlySet<string> {
  const urls = readdirSync(coverage).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(coverage, name), 'utf8')) as Coverage
    return result.map(({ url }) => url)
  })
  const own = urls.filter((url) => url.startsWith(`file://${program}/`))
  return new Set(own.map((url) => basename(url)))
}

interface Coverage {
  readonly result: readonly { readonly url: string }[]
}
