/** Makes a configuration file that is not there yet, and never touches one that is. */
import { lstat, open, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CommandError } from '../report.js'

/** @throws CommandError when something stands there already */
export async function refuseIfThere(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found !== undefined) throw there(path)
}

/** With mode 0640 and the group of its directory, which is the daemon's. */
export async function createFile(path: string, text: string): Promise<void> {
  const directory = await stat(dirname(path)).catch(() => undefined)
  if (directory === undefined)
    throw new CommandError(`there is no directory ${dirname(path)}`, 'make it, or give --config')
  const file = await open(path, 'wx', 0o640).catch((error: unknown) => {
    const { code = 'an error' } = error as NodeJS.ErrnoException
    throw code === 'EEXIST' ? there(path) : new CommandError(`cannot write ${path}: ${code}`)
  })
  try {
    // Only root may change a file's owner, and only root has to: others write into their own
    // directory.
    if (process.getuid?.() === 0) await file.chown(0, directory.gid)
    await file.chmod(0o640)
    await file.writeFile(text)
    await file.sync()
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

const there = (path: string) =>
  new CommandError(`${path} is there already`, 'keys add, and an editor, change what is there')
