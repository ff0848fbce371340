/** The script for fish: one rule for each word that can be typed somewhere. */
import type { Choice, CommandPlace } from './places.js'

export function fishScript(places: readonly CommandPlace[]): string {
  return `# Completes pinwarden in fish; made by: pinwarden completion fish
function __fish_pinwarden_at --argument-names wanted
    set -l at ''
    for word in (commandline -opc)[2..]
        switch "$at $word"
            case ${places
              .slice(1)
              .map(({ path }) => `'${path}'`)
              .join(' ')}
                set at "$at $word"
        end
    end
    test "$at" = "$wanted"
end

complete -c pinwarden -f
${places.flatMap(rules).join('\n')}
`
}

function rules(place: CommandPlace): string[] {
  const here = `complete -c pinwarden -n '__fish_pinwarden_at "${place.path}"'`
  const commands = place.commands.map(
    ({ name, description }) => `${here} -a ${name} -d ${quoted(description)}`,
  )
  const options = place.options.map((option) => `${here} ${flagsOf(option)}`)
  return [...commands, ...options, ...(place.takesFiles ? [`${here} -F`] : [])]
}

function flagsOf({ flags, description, value }: Choice): string {
  const names = flags.map((flag) =>
    flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
  )
  const follows = { file: ['-r', '-F'], other: ['-x'], none: [] }[value]
  return [...names, ...follows, '-d', quoted(description)].join(' ')
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
