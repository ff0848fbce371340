#!/usr/bin/env bash
# Makes everything that a release consists of, and uploads nothing: both packages, the probe, a bill of
# materials, the context of the container's image, and the sums of all of it. Two runs of one commit
# give the same bytes. docs/release.md says what a maintainer does with it.
set -euo pipefail

usage='usage: deploy/release/release.sh [--version VERSION] [--out DIR]'

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=
out=dist/release
while (($# > 0)); do
  case $1 in
    --version) version=${2:?"--version needs one"} && shift 2 ;;
    --out) out=${2:?"--out needs a directory"} && shift 2 ;;
    *) printf '%s\n' "$usage" >&2 && exit 2 ;;
  esac
done
umask 022
PATH=$PWD/node_modules/.bin:$PATH
version=${version:-$(node -p 'require("./package.json").version')}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
revision=$(git rev-parse HEAD)

warn() { printf 'warning: %s\n' "$*" >&2; }
[[ -z $(git status --porcelain) ]] || warn "there are changes that are not in commit $revision"
[[ -n ${DEBEMAIL:-} ]] || warn 'set DEBFULLNAME and DEBEMAIL, so that users find who answers for it'

# What another run left does not belong to this one; of what something else left nothing is removed.
if [[ -e $out && ! -f $out/SHA256SUMS ]]; then
  printf 'error: %s is there, and no release: remove it, or give another --out\n' "$out" >&2 && exit 1
fi
rm -rf -- "$out"
mkdir -p "$out/container"
touch "$out/SHA256SUMS"
for arch in amd64 arm64; do
  deploy/debian/build.sh --arch "$arch" --version "$version" --out "$out"
  cp "$out/pinwarden_${version}_$arch.deb" "$out/container"
done
# The build of the packages made it, with the same version.
install -m 0644 dist/pinwarden-probe.mjs "$out/pinwarden-probe.mjs"
node dist/deploy/release/sbom.js "$version" >"$out/pinwarden-$version.cdx.json"

created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
sed -E "s/^ARG VERSION=.*/ARG VERSION=$version/; s/^ARG REVISION=.*/ARG REVISION=$revision/
  s/^ARG CREATED=.*/ARG CREATED=$created/" deploy/docker/Dockerfile >"$out/container/Dockerfile"
install -m 0644 deploy/docker/compose.yaml deploy/docker/README.md "$out/container"

cd "$out"
sums=$(find . -type f ! -name SHA256SUMS -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum)
printf '%s\n' "$sums" >SHA256SUMS
printf '%s:\n%s\n' "$out" "$sums"
