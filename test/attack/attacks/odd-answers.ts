/** P11, P13 and P19: answers that no cluster gives. */
import { generatedCid } from '../../support/fake-cluster/index.js'
import type { Attack } from '../attack.js'
import { ask, crowd, open } from '../floods.js'

const cids = Array.from({ length: 8 }, (_, index) => generatedCid(index))
const former = '"metadata":{"pinwarden.former.x":"y"}'
const bodies = [
  'no json\n',
  `{"cid":"${cids[1] ?? ''}",${former},"peer_map":null}\n`,
  `{"cid":"${generatedCid(9)}","peer_map":{}}\n`,
  `{"cid":"${cids[3] ?? ''}",${former},"peer_map":7}\n`,
]
const coded = [
  ...['HTTP/1.1 100 Continue', '', 'HTTP/1.1 200 OK', 'Connection: close', 'Content-Encoding: br'],
  ...['Content-Length: 1', '', 'x'],
].join('\r\n')

export const attack: Attack = {
  title: 'an encoder asks for pins of which the cluster answers nonsense, or closes the connection',
  encoders: { a: {} },
  cluster: (cluster) => {
    for (const [index, cid] of cids.entries()) {
      const body = bodies[index]
      const path = new RegExp(cid)
      if (body !== undefined) cluster.behave({ path }, { kind: 'status', status: 200, body })
      else if (index % 2 === 0) cluster.behave({ path }, { kind: 'hangup' })
      else {
        cluster.behave({ path }, { kind: 'raw', bytes: coded })
      }
    }
  },
  run: (target, signal) =>
    crowd(4 * cids.length, signal, (number) => {
      const cid = cids[number % cids.length] ?? ''
      const path = [`/pins/${cid}`, `/pins?cids=${cid}`, `/pins/${cid}?wait=1s`][number % 3] ?? ''
      const head = `Host: x\r\nAuthorization: Bearer ${target.keys.a ?? ''}\r\n\r\n`
      return ask(open(target), `GET ${path} HTTP/1.1\r\n${head}`)
    }),
}
