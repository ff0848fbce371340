/** `pinwarden completion`: prints what a shell needs to complete commands, options and files. */
import type { Command } from 'commander'
import { bashScript } from './bash.js'
import { fishScript } from './fish.js'
import { placesOf } from './places.js'
import { zshScript } from './zsh.js'
import type { Io } from '../io.js'

const scriptOf = { bash: bashScript, zsh: zshScript, fish: fishScript }

export type Shell = keyof typeof scriptOf

/** @param program the whole command line: the script cannot know another one than it has */
export function completion(shell: Shell, program: Command, io: Io): number {
  io.stdout.write(scriptOf[shell](placesOf(program)))
  return 0
}
