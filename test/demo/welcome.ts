/** What the demo says first: what runs where, and what to try. */

export interface Scene {
  /** Of the gate, over plain HTTP and over TLS. */
  readonly plain: string
  readonly tls: string
  readonly cluster: string
  /** Of the status page. */
  readonly admin: string
  /** Of the encoder `demo`. */
  readonly key: string
  readonly certFile: string
  readonly isQuiet: boolean
}

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

export function welcome({ plain, tls, cluster, admin, key, certFile, isQuiet }: Scene): string {
  const as = (url: string): string => url.replace('//', `//demo:${key}@`)
  const endpoint = as(plain)
  const encoders = isQuiet
    ? 'No encoders are running; without --quiet there are three.'
    : 'Running encoders: studio-1 pins and unpins, studio-2 reads, studio-3 uses a wrong key.'
  return `
  Gate         ${tls} and ${plain}
  Status page  ${admin}
  Cluster      ${cluster}, a fake IPFS Cluster

${encoders}

Paste this into an encoder's .env:

  IPFS_CLUSTER_ENDPOINT=${endpoint}

or, over TLS, with the demo's own certificate:

  NODE_EXTRA_CA_CERTS=${certFile}
  IPFS_CLUSTER_ENDPOINT=${as(tls)}

Pin a CID, read its status, unpin it; try a wrong key:

  curl -X POST ${endpoint}/pins/${cid}
  curl ${endpoint}/pins/${cid}
  curl -X DELETE ${endpoint}/pins/${cid}
  curl ${plain.replace('//', '//demo:wrong@')}/id

One line follows for every request; Ctrl-C ends the demo.
`
}
