/** The script for bash: it needs none of the functions of the package bash-completion. */
import { flagsWith, type CommandPlace } from './places.js'

export function bashScript(places: readonly CommandPlace[]): string {
  return `# Completes pinwarden in bash; made by: pinwarden completion bash
_pinwarden() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} at='' word
  local commands='' options='' file_options='' value_options='' takes_files=''
  # An equals sign is a word of its own.
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at $word" in
${places.slice(1).map(known).join(' | \\\n')}) at+=" $word" ;;
    esac
  done
  case $at in
${places.map(branch).join('\n')}
  esac
  COMPREPLY=()
  if [[ -n $prev && " $file_options " == *" $prev "* ]]; then
    _pinwarden_files "$cur"
  elif [[ -n $prev && " $value_options " == *" $prev "* ]]; then
    return 0
  elif [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
  elif [[ -n $takes_files ]]; then
    _pinwarden_files "$cur"
  else
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
  fi
}

_pinwarden_files() {
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
  compopt -o filenames 2>/dev/null
}

complete -F _pinwarden pinwarden
`
}

const known = ({ path }: CommandPlace): string => `      '${path}'`

function branch(place: CommandPlace): string {
  const names = place.commands.map(({ name }) => name)
  const flags = place.options.flatMap((option) => option.flags)
  return `    '${place.path}')
      commands='${names.join(' ')}'
      options='${flags.join(' ')}'
      file_options='${flagsWith(place, 'file').join(' ')}'
      value_options='${flagsWith(place, 'other').join(' ')}'
      takes_files=${place.takesFiles ? 'yes' : "''"}
      ;;`
}
