/** The container files as an engine reads them: the instructions, the service, the operator's steps. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { repository } from './staging.js'

const folder = `${repository}deploy/docker`
const read = (name: string): string => readFileSync(`${folder}/${name}`, 'utf8')

export interface Instruction {
  readonly name: string
  readonly rest: string
}

/** Comments between the lines of one instruction do not end it. */
export function instructionsIn(dockerfile: string): Instruction[] {
  const lines = dockerfile.split('\n').filter((line) => !/^\s*#/.test(line))
  return lines
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => /^([A-Z]+) +(.*)$/.exec(line))
    .flatMap((match) => (match === null ? [] : [{ name: match[1] ?? '', rest: match[2] ?? '' }]))
}

export const instructions = instructionsIn(read('Dockerfile'))

export const all = (name: string): string[] =>
  instructions.filter((each) => each.name === name).map(({ rest }) => rest)

/** The variables that a process of the image gets. */
export const environment: Readonly<Record<string, string>> = Object.fromEntries(
  all('ENV').flatMap((rest) => rest.split(' ').map((pair) => pair.split('=') as [string, string])),
)

/** Words of an instruction in its exec form. */
export const wordsOf = (name: string): string[] =>
  JSON.parse(/\[.*\]$/.exec(all(name).at(-1) ?? '')?.[0] ?? '[]') as string[]

export interface Service {
  readonly image: string
  readonly build?: string
  readonly init?: boolean
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly tmpfs?: readonly string[]
  readonly ports: readonly string[]
  readonly volumes: readonly (string | Bind)[]
  readonly stop_grace_period?: string
}

export interface Bind {
  readonly type: 'bind'
  readonly source: string
  readonly target: string
  readonly bind: { readonly create_host_path: boolean }
}

const composeText = read('compose.yaml')

export const compose = parse(composeText) as {
  readonly services: Readonly<Record<'kubo' | 'cluster' | 'gate', Service>>
  readonly volumes: Readonly<Record<string, null>>
}

/** The commands in the head of the compose file, in their order, one a line. */
export const operatorSteps: readonly string[] = composeText
  .split('\n')
  .filter((line) => /^# {3}\S|^# {5}\S/.test(line))
  .join('\n')
  .replace(/\\\n#\s*/g, '')
  .split('\n')
  .map((line) => line.replace(/^# +/, ''))
