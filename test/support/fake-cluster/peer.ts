/** Who the fake cluster is: one peer, and the Kubo beside it. */

export interface Peer {
  readonly id: string
  readonly peername: string
  readonly version: string
  readonly kuboId: string
  readonly kuboAddresses: readonly string[]
}

export const peerId = '12D3KooWG395pxKwfAyFr4uzVdKNTWNXucp3v9yVGucYKZ5PhBC4'
export const kuboId = '12D3KooWJgjpcEvgq12sgMNZdcmUmeT8m4D8qHu5X5Hpq4zg46Jy'

export const kuboAddress = `/ip4/203.0.113.10/tcp/4001/p2p/${kuboId}`

/** What the cluster says when it cannot reach Kubo. */
export const refused = (call: string): string =>
  `Post "http://127.0.0.1:5001/api/v0/${call}": ` +
  'dial tcp 127.0.0.1:5001: connect: connection refused'
