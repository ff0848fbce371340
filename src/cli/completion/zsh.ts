/** The script for zsh, which also shows the descriptions. */
import { flagsWith, type CommandPlace } from './places.js'

export function zshScript(places: readonly CommandPlace[]): string {
  return `#compdef pinwarden
# Completes pinwarden in zsh; made by: pinwarden completion zsh
_pinwarden() {
  local at='' word previous=\${words[CURRENT - 1]} takes_files=''
  local -a commands options file_options value_options
  if compset -P '--*='; then previous=\${IPREFIX%=}; fi
  for word in "\${(@)words[2, CURRENT - 1]}"; do
    case "$at $word" in
      (${places
        .slice(1)
        .map(({ path }) => `'${path}'`)
        .join(' | \\\n      ')}) at+=" $word" ;;
    esac
  done
  case $at in
${places.map(branch).join('\n')}
  esac
  if (( \${file_options[(Ie)$previous]} )); then
    _files
  elif (( \${value_options[(Ie)$previous]} )); then
    _message 'a value'
  elif [[ $PREFIX == -* ]]; then
    _describe -o option options
  elif [[ -n $takes_files ]]; then
    _files
  else
    _describe command commands
  fi
}

_pinwarden "$@"
`
}

function branch(place: CommandPlace): string {
  const commands = place.commands.map(({ name, description }) => described(name, description))
  const options = place.options.flatMap(({ flags, description }) =>
    flags.map((flag) => described(flag, description)),
  )
  return `    ('${place.path}')
      commands=(${commands.join(' ')})
      options=(${options.join(' ')})
      file_options=(${flagsWith(place, 'file').join(' ')})
      value_options=(${flagsWith(place, 'other').join(' ')})
      takes_files=${place.takesFiles ? 'yes' : "''"}
      ;;`
}

/** A colon parts the word from its description. */
const described = (word: string, description: string): string =>
  `'${word}:${description.replaceAll("'", "'\\''")}'`
