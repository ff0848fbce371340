/** The version of the program. */
import { readFileSync } from 'node:fs'

/** The bundler replaces it where the program is one file, without a package.json beside it. */
declare const PINWARDEN_VERSION: string | undefined

/** The package's own version: package.json is next to dist/. */
export const version =
  typeof PINWARDEN_VERSION === 'string'
    ? PINWARDEN_VERSION
    : versionIn(new URL('../../../package.json', import.meta.url))

function versionIn(file: URL): string {
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }
  return version
}
