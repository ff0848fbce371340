/** A client's connection that costs little: one buffer for all that it reads. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ResponseReader, type Seen } from './response-reader.js'

export interface Ears {
  onAnswer(seen: Seen): void
  /** Not after {@link Connection.close}. */
  onLost(error: Error): void
  readonly onBody?: (piece: Buffer) => void
  /** @returns whether to read on; asked after each piece, plain connections only */
  mayReadOn?(bodyBytes: number): boolean
}

const readBytes = 262_144
/** What is read is done with before the next read, of whichever connection. */
const buffer = Buffer.allocUnsafeSlow(readBytes)

export class Connection {
  private readonly socket: Socket
  private isOver = false

  constructor(port: number, isTls: boolean, ears: Ears) {
    const reader = new ResponseReader((seen) => {
      ears.onAnswer(seen)
    }, ears.onBody)
    const take = (bytes: Buffer): boolean => {
      try {
        reader.push(bytes)
      } catch (error) {
        this.lose(ears, error as Error)
      }
      return ears.mayReadOn?.(reader.bodyBytes) ?? true
    }
    const address = { host: '127.0.0.1', port, noDelay: true }
    if (isTls) {
      // What the certificate is worth is not measured.
      this.socket = connectTls({ ...address, rejectUnauthorized: false })
      this.socket.on('data', take)
    } else {
      const callback = (bytes: number): boolean => take(buffer.subarray(0, bytes))
      this.socket = connect({ ...address, onread: { buffer, callback } })
    }
    this.socket.on('error', (error) => {
      this.lose(ears, error)
    })
    this.socket.on('close', () => {
      this.lose(ears, new Error('the connection was closed'))
    })
  }

  write(request: Buffer): void {
    this.socket.write(request)
  }

  /** As a client does that has its answer. */
  end(): void {
    this.isOver = true
    this.socket.end()
  }

  close(): void {
    this.isOver = true
    this.socket.destroy()
  }

  private lose(ears: Ears, error: Error): void {
    if (this.isOver) return
    this.close()
    ears.onLost(error)
  }
}
