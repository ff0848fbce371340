/** P6: wrong keys in a row, and answers that no client reads. */
import type { Attack } from '../attack.js'
import { crowd, flood, open } from '../floods.js'

const wrong = 'GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pw_no\r\n\r\n'
const bare = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

export const attack: Attack = {
  title: '40 connections pipeline thousands of requests without a good key; half read nothing',
  run: (target, signal) =>
    crowd(40, signal, (number) =>
      flood(open(target), (number % 2 === 0 ? wrong : bare).repeat(1000), {
        reads: number % 2 === 0,
      }),
    ),
}
