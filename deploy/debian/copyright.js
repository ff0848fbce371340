/** Prints the package's copyright file in Debian's machine-readable format, from what it contains. */
import { readFileSync } from 'node:fs'
import { bundledPackages } from './bundled.js'

const [contact, nodeHome, ...metaFiles] = process.argv.slice(2)
const own = readFileSync('LICENSE', 'utf8')
const node = readFileSync(`${nodeHome}/LICENSE`, 'utf8')
const { version: nodeVersion } = JSON.parse(readFileSync(`${nodeHome}/package.json`, 'utf8'))
const packages = bundledPackages(metaFiles)

/** What Debian calls a licence, where that is another name. */
const debianNames = new Map([
  ['MIT', 'Expat'],
  ['Apache-2.0 OR MIT', 'Apache-2.0 or Expat'],
])

/** A field's further lines: each begins with a space, and an empty one is a dot. */
const continued = (text) =>
  text
    .trim()
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n')

/** Not the template in the appendix of a licence, nor an item (c) of its text. */
const isNotice = (line) => /^\W*(copyright\b.*(\d{4}|\(c\)|©| by )|(\(c\)|©) *\d{4})/i.test(line)

const noticesIn = (text) =>
  text
    .split('\n')
    .filter(isNotice)
    .map((line) => line.replace(/^\W*(copyright\s*)?((\(c\)|©)\s*)?/i, '').trim())
    .filter((line) => line !== '')

/** The conditions alone: two licences are the same when they differ in holder and title only. */
const conditionsIn = (text) =>
  text
    .split('\n')
    .filter((line) => !isNotice(line))
    .join('\n')
    .replace(/^\W*(the )?(mit|isc|bsd[ -]\S+)?( "?new"?[^\n]*)? ?licen[cs]e( \(mit\))?:?\s*\n/i, '')
    .trim()

const texts = new Map()

/** The name that a licence has in this file; texts that differ have different ones. */
function nameOf(license, text) {
  const name = debianNames.get(license) ?? license
  if (name === 'Apache-2.0') return name
  const conditions = conditionsIn(text)
  const key = conditions.toLowerCase().replace(/[^a-z0-9]+/g, ' ')
  for (const [known, { key: other }] of texts) if (other === key) return known
  let variant = name.replaceAll(' ', '-')
  for (let count = 2; texts.has(variant); count++) variant = `${name.replaceAll(' ', '-')}-${count}`
  texts.set(variant, { key, conditions })
  return variant
}

const ownName = nameOf('MIT', own)
const bundled = packages.map(({ name, version, license, author, text }) => ({
  name: `${name} ${version}`,
  licence: text === undefined ? (debianNames.get(license) ?? license) : nameOf(license, text),
  holders: [...new Set(noticesIn(text ?? ''))],
  author: author ?? `the authors of ${name}`,
}))
const licences = [...new Set([ownName, ...bundled.map(({ licence }) => licence)])]
const holders = bundled.flatMap(({ name, holders, author }) =>
  (holders.length > 0 ? holders : [author]).map((holder) => `${holder} (${name})`),
)
const contents = bundled.map(({ name, licence }) => `${name}: ${licence}`)

const paragraphs = [
  `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: pinwarden
Upstream-Contact: ${contact}`,
  `Files: *
Copyright: ${noticesIn(own).join('\n ')}
License: ${ownName}`,
  `Files: usr/lib/pinwarden/dist/* usr/share/pinwarden/*
Copyright: ${[...noticesIn(own), ...holders].join('\n ')}
License: ${licences.join(' and ')}
Comment: These files were made from pinwarden's own and from those of packages:
${continued(contents.join('\n'))}`,
  `Files: usr/lib/pinwarden/node
Copyright: ${noticesIn(node)[0] ?? 'Node.js contributors'}
License: Node.js
Comment: Node.js ${nodeVersion}, as it was released, byte for byte.`,
  ...[...texts].map(([name, { conditions }]) => `License: ${name}\n${continued(conditions)}`),
  `License: Apache-2.0
 On Debian systems the text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.`,
  `License: Node.js\n${continued(node)}`,
]
process.stdout.write(`${paragraphs.join('\n\n')}\n`)
