/** Serves the status page: three files from beside the program, and nothing from anywhere else. */
import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'

/** Path → file and its type. */
const files = {
  '/': ['page.html', 'text/html; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
} as const

/** The same from where the compiler puts this file, and from the few files of a bundle. */
const folder = new URL('../admin/page/', import.meta.url)

/**
 * If a request injects something into the page, it still cannot run, load from elsewhere or be
 * framed.
 */
const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
}

/** Reads the files at the start: an upgrade replaces them while this daemon still runs. */
export async function addPage(admin: FastifyInstance): Promise<void> {
  for (const [path, [name, type]] of Object.entries(files)) {
    const body = await readFile(new URL(name, folder))
    admin.get(path, (_request, reply) => {
      void reply.headers({ ...headers, 'content-type': type }).send(body)
    })
  }
}
