/** The end of the installed package: removed, purged, and installed once more. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type Built, next } from './build.js'
import { say } from './host.js'
import type { Steps } from './steps.js'

export async function removalSteps(steps: Steps, { second }: Built): Promise<void> {
  await steps.step('removed, purged', async () => {
    await say('dpkg', '--remove', 'pinwarden')
    assert(!existsSync('/usr/bin/pinwarden'))
    assert(existsSync('/etc/pinwarden/config.json'), 'the configuration stays')
    await say('dpkg', '--purge', 'pinwarden')
    assert(!existsSync('/etc/pinwarden') && !existsSync('/etc/logrotate.d/pinwarden'))
    return 'the configuration stays until the purge'
  })

  await steps.step('installed again', async () => {
    await say('dpkg', '--install', second)
    assert.equal((await say('pinwarden', '--version')).trim(), next)
    return ''
  })
}
