#!/bin/sh
exec /usr/lib/pinwarden/node /usr/lib/pinwarden/dist/src/cli/main.js "$@"
