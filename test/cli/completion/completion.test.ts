/** Completion, asked of the real shells: commands, options, and files where a file is to be typed. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { CommandLine } from '../../../src/cli/command-line.js'
import { programOf } from '../../../src/cli/cli.js'
import { placesOf } from '../../../src/cli/completion/places.js'
import { missing } from '../../deploy/programs.js'
import { pinwarden } from '../../support/pinwarden.js'

type Shell = 'bash' | 'zsh' | 'fish'

/** What a shell offers after a line; a word that it ends in is completed. */
type Complete = (line: string) => string[]

/** A directory with two files, which the shell is in; the script lies beside it. */
async function completing(t: Test, shell: Shell): Promise<Complete> {
  const { code, stdout } = await pinwarden('completion', shell)
  t.equal(code, 0)
  const place = mkdtempSync(join(tmpdir(), 'pinwarden-completion-'))
  t.teardown(() => {
    rmSync(place, { recursive: true })
  })
  const [script, cwd] = [join(place, '_pinwarden'), join(place, 'cwd')]
  writeFileSync(script, stdout)
  mkdirSync(cwd)
  for (const name of ['one.json', 'other.json']) writeFileSync(join(cwd, name), '')
  return (line) => {
    const [command = '', ...args] = asking[shell](script, line)
    const { stdout, stderr, status } = spawnSync(command, args, {
      cwd,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: place, TERM: 'dumb' },
    })
    if (status !== 0) throw new Error(`${shell} ended with ${String(status)}: ${stderr}`)
    return stdout.split(/\r?\n/).filter((word) => word !== '')
  }
}

/** As readline calls the function: an equals sign is a word of its own. */
const askBash = `
source "$1"
line=$2
read -ra COMP_WORDS <<<"\${line//=/ = }"
[[ $line == *[\\ =] ]] && COMP_WORDS+=('')
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
[[ $(complete -p pinwarden) == *'-F _pinwarden '* ]] || exit 1
_pinwarden
printf '%s\\n' "\${COMPREPLY[@]}"`

/** A shell in a terminal of its own, whose Tab writes down what would be offered. */
const askZsh = `
zmodload zsh/zpty
cat >"\${1:h}/.zshrc" <<RC
fpath=("\${1:h}" \\$fpath)
autoload -Uz compinit && compinit -u -d "\${1:h}/dump"
zstyle ':completion:*' menu no
compadd() {
  local -a found
  builtin compadd -O found "\\$@"
  print -rl -- \\$found >>"\${1:h}/found"
  builtin compadd "\\$@"
}
offer() { zle complete-word; exit }
zle -N offer
bindkey '^I' offer
RC
: >"\${1:h}/found"
ZDOTDIR=\${1:h} zpty asked zsh -i
zpty -w -n asked "$2"$'\\t'
# It reads until the shell has ended.
while zpty -r asked said 2>/dev/null; do :; done
sort -u "\${1:h}/found"`

const askFish = 'source "$argv[1]"; complete -C "$argv[2]" | string replace -r "\\t.*" ""; true'

const asking: Readonly<Record<Shell, (script: string, line: string) => string[]>> = {
  bash: (script, line) => ['bash', '--norc', '-c', askBash, 'bash', script, line],
  zsh: (script, line) => ['zsh', '-f', '-c', askZsh, 'zsh', script, line],
  fish: (script, line) => ['fish', '--no-config', '-c', askFish, script, line],
}

const places = placesOf(
  programOf(new CommandLine({ stdout: { write: () => 0 }, stderr: { write: () => 0 }, env: {} })),
)
const files = ['one.json', 'other.json']

for (const shell of ['bash', 'zsh', 'fish'] as const) {
  t.test(`${shell} completes what can be typed`, { skip: missing(shell) }, async (t) => {
    const complete = await completing(t, shell)
    for (const { path, commands } of places.filter(({ commands }) => commands.length > 0))
      t.same(
        complete(`pinwarden${path} `).sort(),
        commands.map(({ name }) => name).sort(),
        `all commands after pinwarden${path}`,
      )
    t.same(complete('pinwarden keys ro'), ['rotate'])
    t.same(complete('pinwarden keys add --exp'), ['--expires'])
    t.same(complete('pinwarden pins plan --ow'), ['--ownerless'])
    t.same(complete('pinwarden keys add --ownerl'), [], 'an option of another command')
    t.same(complete('pinwarden check --config o').sort(), files)
    t.same(complete('pinwarden check -c on'), ['one.json'])
    t.match(complete('pinwarden check --config=on').join(), /one\.json$/)
    t.same(complete('pinwarden keys add --note o'), [], 'a note is no file')
    t.same(complete('pinwarden pins apply o').sort(), files, 'a plan is a file')
    t.same(complete('pinwarden keys rotate o'), [], 'an encoder is none')
  })
}

t.test('each option of each command is known to all shells', async (t) => {
  const scripts = await Promise.all(
    (['bash', 'zsh', 'fish'] as const).map((shell) => pinwarden('completion', shell)),
  )
  const longs = new Set(places.flatMap(({ options }) => options.flatMap(({ flags }) => flags)))
  t.ok(longs.size > 30)
  for (const { stdout } of scripts)
    for (const flag of longs) t.ok(stdout.includes(flag.replace(/^--?/, '')), flag)
})

t.test('another shell is wrong usage', async (t) => {
  const { code, stderr } = await pinwarden('completion', 'tcsh')
  t.equal(code, 2)
  t.match(stderr, /bash, zsh, fish/)
})
