/** Writes a folder whose lock file has one package: the Node of a processor, as the checkout pins it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [checkout, cpu, folder] = process.argv.slice(2)
const read = (name) => JSON.parse(readFileSync(join(checkout, name), 'utf8'))
const name = `node-linux-${cpu}`
const path = `node_modules/${name}`
const version = read('package.json').optionalDependencies?.[name]
const { [path]: locked } = read('package-lock.json').packages
if (version === undefined || locked?.version !== version || locked.integrity === undefined)
  throw new Error(`package.json and package-lock.json do not pin ${name} to one version`)

const own = { name: 'pinwarden-node', optionalDependencies: { [name]: version } }
const lock = { name: own.name, lockfileVersion: 3, packages: { '': own, [path]: locked } }
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...own, private: true }))
writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock))
