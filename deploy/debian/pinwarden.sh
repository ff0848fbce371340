#!/bin/sh
exec /usr/lib/pinwarden/node --disable-sigusr1 --max-semi-space-size=16 /usr/lib/pinwarden/dist/src/cli/main.js "$@"
