/** Sockets that coalesce small reads, as a small read costs as much as a large one. */
import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { buildConnector } from 'undici'

const readBytes = 65_536

/** A read below this means that more bytes are about to come: waiting for them pays. */
const smallRead = readBytes / 8

/**
 * Go flushes a listing line by line, and wakes its reader for each. After a pause behind a small
 * read the next read finds all bytes that came meanwhile. A line waits no longer than the pause.
 */
const pauseMs = 1

/**
 * For a reader that has consumed its chunk when it asks for more: two buffers alternate, and a
 * chunk that still waits to be read keeps its own.
 */
class ReadCoalescingSocket extends Socket {
  private buffer: Buffer = Buffer.allocUnsafeSlow(readBytes)
  private other: Buffer | undefined
  private pausing: NodeJS.Timeout | undefined

  constructor() {
    // The documented way to read without a buffer of Node's for each chunk; it ends in push().
    const onread = {
      buffer: (): Buffer => this.buffer,
      callback: (bytes: number): boolean => this.accept(bytes),
    }
    super({ onread })
  }

  /** Called when the reader wants more: not before the pause is over. */
  override _read(size: number): void {
    // Without a handle, Node's own would wait for a connection, once more each time.
    if (this.pausing === undefined && !this.destroyed) super._read(size)
  }

  /** Where `onread` is used, Node's own begins to read from the system again each time. */
  override read(size?: number): unknown {
    const isPausing = this.pausing !== undefined
    return isPausing ? Duplex.prototype.read.call(this, size) : super.read(size)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.pausing)
    super._destroy(error, callback)
  }

  /** @returns whether to read on at once */
  private accept(bytes: number): boolean {
    const chunk = this.buffer.subarray(0, bytes)
    const isRead = this.readableLength === 0
    const last = this.buffer
    this.buffer = (isRead ? this.other : undefined) ?? Buffer.allocUnsafeSlow(readBytes)
    this.other = last
    const hasRoom = this.push(chunk)
    if (bytes >= smallRead) return hasRoom
    this.pausing = setTimeout(() => {
      this.pausing = undefined
      if (this.readableLength < this.readableHighWaterMark) this._read(readBytes)
    }, pauseMs)
    return false
  }
}

/** For undici's `connect`; plain TCP only. */
export function readCoalescingConnector(timeoutMs: number): buildConnector.connector {
  return ({ hostname, port }, callback) => {
    const socket = new ReadCoalescingSocket()
    const clock = setTimeout(() => {
      socket.destroy(Object.assign(new Error('connect timeout'), { code: 'ETIMEDOUT' }))
    }, timeoutMs)
    const settle = (error: Error | null): void => {
      clearTimeout(clock)
      socket.off('error', settle)
      if (error === null) callback(null, socket)
      else callback(error, null)
    }
    socket.setNoDelay(true).setKeepAlive(true, 60_000)
    socket.once('error', settle).once('connect', () => {
      settle(null)
    })
    socket.connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) })
  }
}
