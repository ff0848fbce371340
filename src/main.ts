#!/usr/bin/env node
/** The bin: runs what the command line says and ends with its exit code. */
import { run } from './cli/cli.js'

// A reader that leaves early, such as `head`, is no reason for a stack trace.
process.stdout.on('error', () => (process.exitCode = 1))
process.stderr.on('error', () => (process.exitCode = 1))

// Setting the code rather than exiting lets what was written reach its reader.
const code = await run(process.argv.slice(2), process)
process.exitCode ??= code
