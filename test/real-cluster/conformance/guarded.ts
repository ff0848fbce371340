/** What a cluster is asked that wants a credential. */
import { ask, type Step } from './step.js'

/** Asked of clusters that want a credential. */
export function guarded(login: { username: string; password: string }): Step[] {
  const basic = (text: string) => `Authorization: Basic ${btoa(text)}`
  const right = basic(`${login.username}:${login.password}`)
  return [
    ask('GET /id'),
    ask('HEAD /id'),
    ask('GET /id/'),
    ask('GET //id'),
    ask('POST /pins/abcd'),
    ask('GET /nowhere'),
    ask('GET /health'),
    ask('GET /health/'),
    ask('GET /health?a=b'),
    ask('POST /health'),
    ask('HEAD /health'),
    ask('GET /%68ealth'),
    ask('OPTIONS /id'),
    ask('OPTIONS /id', ['Origin: http://a', 'Access-Control-Request-Method: GET']),
    ask('GET /id', ['Origin: http://a']),
    ask('GET /id', [right]),
    ask('GET /pins', [right]),
    ask('GET /id/', [right]),
    ask('GET /id', [right.replace('Basic', 'basic')]),
    ask('GET /id', [right.replace('Basic ', 'Basic  ')]),
    ask('GET /id', [right.replace(/=+$/, '')]),
    ask('GET /id', [basic(`${login.username}:x`)]),
    ask('GET /id', [basic(`x:${login.password}`)]),
    ask('GET /id', [basic(`${login.username}:`)]),
    ask('GET /id', [basic(`:${login.password}`)]),
    ask('GET /id', [basic(login.username)]),
    ask('GET /id', [basic(':')]),
    ask('GET /id', ['Authorization: Basic']),
    ask('GET /id', ['Authorization: Basic !!!']),
    ask('GET /id', ['Authorization:']),
    ask('GET /id', ['Authorization: Digest x']),
    ask('GET /id', ['Authorization: Bearer']),
    ask('GET /id', ['Authorization: Bearer x']),
    ask('GET /id', ['Authorization: bearer x']),
    ask('GET /id', ['Authorization: Bearer a.b.c']),
    ask('GET /id', [right, basic('x:y')]),
    ask('GET /id', [basic('x:y'), right]),
    ask('POST /token', [right]),
    ask('POST /token'),
    ask('GET /token', [right]),
  ]
}
