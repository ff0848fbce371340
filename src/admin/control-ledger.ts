/** The control socket's routes for the ledger: check it, copy it. */
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { ledgerName } from '../ledger/ledger-directory.js'
import type { OpenLedger } from '../ledger/open-ledger.js'
import type { LedgerDisk } from '../ledger/storage/ledger-disk.js'
import type { Log } from '../log/log.js'
import { ControlRefusal } from './control-refusal.js'

export interface LedgerRoutesParts {
  readonly disk: Pick<LedgerDisk, 'check' | 'backUp' | 'directory'>
  readonly ledger: Pick<OpenLedger, 'forgetGate' | 'gateAnswers'>
  readonly log: Log
}

export function addLedgerRoutes(control: FastifyInstance, parts: LedgerRoutesParts): void {
  const { disk, ledger, log } = parts
  control.post<{ Body: { readonly gateId?: unknown } | null }>(
    '/ledger/forget',
    async ({ body }) => {
      const gateId = String(body?.gateId)
      const answers = ledger.gateAnswers(gateId)
      if (answers === undefined) throw new ControlRefusal(503, `${gateId} may run: ${hearsNone}`)
      // What the others still have to tell it would be lost.
      if (answers) throw new ControlRefusal(409, `${gateId} runs: ${stopFirst}`)
      if (!(await ledger.forgetGate(gateId)))
        throw new ControlRefusal(404, `this gate knows of no other gate ${gateId}`)
      log.info({ gate: gateId }, 'an operator had the ledger forget a gate')
      return {}
    },
  )
  control.get('/ledger/check', async () => {
    const check = await orRefused(() => disk.check())
    if (check.problems.length > 0) log.error({ ...check }, 'a check found the ledger damaged')
    return check
  })

  let isRunning = false
  control.get('/ledger/backup', async (_request, reply) => {
    if (disk.directory === undefined)
      throw new ControlRefusal(409, 'the ledger is kept in memory: there is nothing to back up')
    if (isRunning) throw new ControlRefusal(409, 'another backup is running')
    isRunning = true
    try {
      const copy = await copyOf(disk, join(disk.directory, `${ledgerName}.copy`))
      log.info({ bytes: copy.bytes }, 'backed up the ledger')
      reply.header('content-type', 'application/octet-stream')
      reply.header('content-length', copy.bytes)
      return await reply.send(copy.stream)
    } finally {
      isRunning = false
    }
  })
}

/**
 * The command writes the file as its own user: systemd keeps the daemon out of most directories,
 * and gives it a /tmp of its own. So the daemon's copy is an unlinked file.
 */
async function copyOf(disk: Pick<LedgerDisk, 'backUp'>, path: string) {
  // Left by a daemon that was killed during a backup.
  await rm(path, { force: true })
  await orRefused(() => disk.backUp(path))
  const file = await open(path)
  await rm(path)
  const { size: bytes } = await file.stat()
  return { bytes, stream: file.createReadStream() }
}

const hearsNone =
  'this gate hears no other one, as the store does not answer or its ledger is a copy'
const stopFirst = 'it has answered this gate within the last 30 seconds; stop it first'

/** The operator has to read why the disk failed. */
async function orRefused<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw new ControlRefusal(503, error instanceof Error ? error.message : String(error))
  }
}
