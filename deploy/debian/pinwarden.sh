#!/bin/sh
exec /usr/lib/pinwarden/node --disable-sigusr1 /usr/lib/pinwarden/dist/src/cli/main.js "$@"
