/** Clients that read a whole listing, or stop in its middle. */
import { crc32 } from 'node:zlib'
import type { Program } from '../programs/program.js'
import { Connection } from './connection.js'
import { getRequest } from './requests.js'

type Served = Pick<Program, 'name' | 'port' | 'credential'>

/** @throws when it is not 200 with so many bytes */
export function readListing(program: Served, bytes: number): Promise<void> {
  return reading(program, bytes)
}

/** @returns the checksum of what was read */
export async function checksumOf(program: Served, bytes: number): Promise<number> {
  let sum = 0
  await reading(program, bytes, (piece) => {
    sum = crc32(piece, sum)
  })
  return sum
}

function reading(
  { name, port, credential }: Served,
  bytes: number,
  onBody?: (piece: Buffer) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const connection = new Connection(port, false, {
      ...(onBody !== undefined && { onBody }),
      onAnswer: (seen) => {
        connection.end()
        if (seen.status === 200 && seen.bytes === bytes) resolve()
        else reject(new Error(`${name}: a listing of ${seen.bytes} bytes, status ${seen.status}`))
      },
      onLost: (error) => {
        reject(new Error(`${name}: a listing broke off: ${error.message}`))
      },
    })
    connection.write(getRequest('/pins', { credential }))
  })
}

/** Resolves once it has stopped; the connection stays open. */
export function stopAt({ name, port, credential }: Served, bytes: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const connection = new Connection(port, false, {
      mayReadOn: (bodyBytes) => {
        if (bodyBytes < bytes) return true
        resolve(connection)
        return false
      },
      onAnswer: (seen) => {
        reject(new Error(`${name}: a listing of ${seen.bytes} bytes, status ${seen.status}`))
      },
      onLost: (error) => {
        reject(new Error(`${name}: a listing broke off: ${error.message}`))
      },
    })
    connection.write(getRequest('/pins', { credential }))
  })
}
