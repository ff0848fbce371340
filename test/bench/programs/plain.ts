/** Starts the programs of Node that the gate is compared with. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { certificate } from '../../support/certificate.js'
import { freePort } from '../sandbox.js'
import { credential, password, user } from './passwords.js'
import { type Place, type Program, ready } from './program.js'

/** The same packages put together the usual way. */
export const startPlain = (place: Place): Promise<Program> => start(place, 'plain stack')

/** The least that a gate can cost. */
export const startFloor = (place: Place): Promise<Program> => start(place, 'floor')

async function start(place: Place, name: 'plain stack' | 'floor'): Promise<Program> {
  const script = fileURLToPath(new URL(`../${name.replace(' ', '-')}.js`, import.meta.url))
  const room = place.sandbox.room(name)
  const [port, tlsPort] = [await freePort(), await freePort()]
  const upstream = `http://127.0.0.1:${place.upstreamPort}`
  const settings = { port, tlsPort, upstream, user, password, ...certificate }
  const config = join(room, 'settings.json')
  writeFileSync(config, JSON.stringify({ ...settings, logFile: join(room, 'access.log') }))
  const child = place.sandbox.spawnProgram(room, process.execPath, [script, config])
  return ready(place, room, child, { name, port, tlsPort, credential })
}
