/** Ends the process where Node is too old; the single file imports this first. */

const oldestMajor = 18

if (Number.parseInt(process.versions.node) < oldestMajor) {
  const found = `Node ${process.versions.node} is too old`
  process.stderr.write(`pinwarden: error: ${found}: the probe needs ${oldestMajor} or newer\n`)
  process.exit(1)
}
