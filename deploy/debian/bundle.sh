#!/usr/bin/env bash
# Bundles the built program into a few files, which start sooner: bundle.sh DIRECTORY [VERSION [META]]
set -euo pipefail

lib=$1
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=${2:-$(node -p 'require("./package.json").version')}
mkdir -p "$lib"

# As deep as in a checkout: from there the program finds package.json.
require="import { createRequire as requireFrom } from 'node:module';"
require+='const require = requireFrom(import.meta.url);'
# Threads are files that the program starts by name, from beside its own.
node_modules/.bin/esbuild dist/src/main.js dist/src/ledger/storage/ledger-worker.js \
  dist/src/settings/fault-worker.js \
  --outdir="$lib/dist/src/cli" --entry-names='[name]' \
  --bundle --splitting --format=esm --platform=node --target=node24 --main-fields=module,main \
  --minify-syntax --minify-whitespace --legal-comments=none --log-level=warning \
  --metafile="${3:-$lib/meta.json}" --banner:js="$require"
# Nothing runs it by itself.
sed -i '1{/^#!/d}' "$lib/dist/src/cli/main.js"
chmod 0644 "$lib/dist/src/cli/main.js"
mkdir -p "$lib/dist/src/admin"
cp -r dist/src/admin/page "$lib/dist/src/admin"
printf '{"name":"pinwarden","version":"%s","type":"module"}\n' "$version" >"$lib/package.json"
