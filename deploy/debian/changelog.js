/** Prints a CHANGELOG.md, read from standard input, in the format of Debian's changelogs. */
import { readFileSync } from 'node:fs'

const columnsMax = 80
const [version, maintainer] = process.argv.slice(2)
const built = new Date(Number(process.env.SOURCE_DATE_EPOCH) * 1000)
const [, ...releases] = readFileSync(0, 'utf8').split(/^## /m)

/** As `date -R` says it: Debian takes no other form. */
const rfc2822 = (date) => date.toUTCString().replace('GMT', '+0000')

const entries = releases.map((text, index) => {
  const [heading = '', ...lines] = text.split('\n')
  const [, named = '', day = ''] = /^(\S+)(?: \((\d{4}-\d\d-\d\d)\))?/.exec(heading) ?? []
  const items = lines.join('\n').split(/^- /m).slice(1)
  return [
    // What is built is the newest release, or on its way to be one.
    `pinwarden (${index === 0 ? version : named}) unstable; urgency=medium`,
    '',
    ...items.map(wrapped),
    '',
    ` -- ${maintainer}  ${rfc2822(day === '' ? built : new Date(day))}`,
    '',
  ].join('\n')
})
/** As an item of the list, in lines of at most 80 columns. */
function wrapped(item) {
  const lines = ['  *']
  for (const word of item.trim().split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`
    if (longer.length <= columnsMax) lines[lines.length - 1] = longer
    else lines.push(`    ${word}`)
  }
  return lines.join('\n')
}

process.stdout.write(entries.join('\n'))
