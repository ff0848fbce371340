/** A stand-in for the systemctl of systemd 249, Ubuntu 22.04's: what it does not know it refuses. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The options of 249 that scripts use. `--kill-who` became `--kill-whom` in 252. A command fails
 * where a file says so: `fails/try-restart` in the directory of the stand-in.
 */
const program = `#!/bin/bash
here=$(dirname "$(readlink -f "$0")")
echo "$*" >>"$here/calls"
words=()
for word; do
  case $word in
    --quiet | -q | --now | --no-block | --value | --property=* | --signal=* | --kill-who=*) ;;
    -*) echo "systemctl: unrecognized option '$word'" >&2; exit 1 ;;
    *) words+=("$word") ;;
  esac
done
verb=\${words[0]}
if [ -e "$here/fails/$verb" ]; then
  echo "Job for \${words[1]} failed because the control process exited with error code." >&2
  exit 1
fi
case $verb in
  show) cat "$here/pid" ;;
  daemon-reload | try-restart | disable | is-active) ;;
  *) echo "Unknown command verb \${words[0]}." >&2; exit 1 ;;
esac
`

/** @returns the directory to put first in PATH; in it `pid` is what `show` prints */
export function systemctl249(directory: string): string {
  mkdirSync(join(directory, 'fails'), { recursive: true })
  writeFileSync(join(directory, 'systemctl'), program)
  writeFileSync(join(directory, 'pid'), '0\n')
  chmodSync(join(directory, 'systemctl'), 0o755)
  return directory
}
