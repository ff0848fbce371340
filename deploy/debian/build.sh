#!/usr/bin/env bash
# Builds the Debian package of this checkout into dist/package: the program in a few files, a Node of
# its own, and what a service needs. Two builds of one commit are the same bytes.
set -euo pipefail

usage='usage: deploy/debian/build.sh [--arch amd64|arm64] [--version VERSION] [--out DIR]'

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$checkout/deploy/debian
architecture=
version=
out=$checkout/dist/package
while (($# > 0)); do
  case $1 in
    --arch) architecture=${2:?"--arch needs amd64 or arm64"} && shift 2 ;;
    --version) version=${2:?"--version needs one"} && shift 2 ;;
    --out) out=${2:?"--out needs a directory"} && shift 2 ;;
    *) printf '%s\n' "$usage" >&2 && exit 2 ;;
  esac
done
cd "$checkout"
umask 022

# The checkout's own Node, where it has one: the package's is perhaps for another processor.
PATH=$checkout/node_modules/.bin:$PATH

architecture=${architecture:-$(dpkg --print-architecture)}
case $architecture in
  amd64) cpu=x64 ;;
  arm64) cpu=arm64 ;;
  *) printf 'error: there is no Node for %s\n' "$architecture" >&2 && exit 1 ;;
esac
version=${version:-$(node -p 'require("./package.json").version')}
# Who answers for the package: its distributor, by the variables that all of Debian's tools know.
maintainer=$(node -p 'require("./package.json").author')
if [[ -n ${DEBEMAIL:-} ]]; then maintainer="${DEBFULLNAME:-pinwarden} <$DEBEMAIL>"; fi
# What the package says of its files' time; dpkg-deb takes it as their latest.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
root=$work/root
lib=$root/usr/lib/pinwarden
doc=$root/usr/share/doc/pinwarden

main() {
  "$here/bundle.sh" "$lib" "$version" "$work/meta.json"
  bring_node
  place_files
  write_licences
  write_manual
  write_completions
  write_control
  # Whatever umask the checkout was made and built under.
  chmod -R u=rwX,go=rX "$root"
  mkdir -p "$out"
  # zstd, as Debian 12 and Ubuntu 22.04 read it, and one thread, whose output is always the same.
  dpkg-deb --root-owner-group -Zzstd -z10 --threads-max=1 --build "$root" \
    "$out/pinwarden_${version}_$architecture.deb"
}

# The one that package.json pins, checked by the lock file's digest. Nothing of it is run here.
bring_node() {
  node "$here/node-lock.js" "$checkout" "$cpu" "$work/node"
  npm --prefix "$work/node" ci --ignore-scripts --no-audit --no-fund --loglevel=error \
    --os=linux --cpu="$cpu" >/dev/null
  node_home=$work/node/node_modules/node-linux-$cpu
  install -m 0755 "$node_home/bin/node" "$lib/node"
}

place_files() {
  local unit
  install -D -m 0755 "$here/pinwarden.sh" "$root/usr/bin/pinwarden"
  install -D -m 0644 "$here/pinwarden.sysusers" "$root/usr/lib/sysusers.d/pinwarden.conf"
  install -D -m 0644 "$here/pinwarden.logrotate" "$root/etc/logrotate.d/pinwarden"
  for unit in systemd/*; do
    install -D -m 0644 "$unit" "$root/usr/lib/systemd/system/${unit##*/}"
  done
  sed -i -E 's#^(Exec[A-Za-z]+=)/usr/bin/node --disable-sigusr1 --max-semi-space-size=16 /opt/pinwarden/current/dist/src/main\.js#\1/usr/bin/pinwarden#' \
    "$root/usr/lib/systemd/system/pinwarden.service"
  npm run --silent build:probe -- "$version"
  install -D -m 0644 dist/pinwarden-probe.mjs "$root/usr/share/pinwarden/pinwarden-probe.mjs"
  mkdir -p "$doc/examples"
  cp -r deploy/{caddy,certbot,fail2ban,firewall,grafana,nginx,prometheus} "$doc/examples"
  install -m 0644 config.example.json config.schema.json "$doc"
  gzip -9n <README.md >"$doc/README.md.gz"
  install -D -m 0644 -t "$doc/docs" docs/*.md docs/openapi.yaml docs/status-page.png
  node "$here/changelog.js" "$version" "$maintainer" <CHANGELOG.md | gzip -9n >"$doc/changelog.gz"
  install -m 0644 SECURITY.md "$doc"
  install -D -m 0644 "$here/lintian-overrides" "$root/usr/share/lintian/overrides/pinwarden"
}

write_licences() {
  node "$here/copyright.js" "$maintainer" "$node_home" "$work/meta.json" \
    dist/page.meta.json dist/probe.meta.json >"$doc/copyright"
}

write_completions() {
  local share=$root/usr/share
  mkdir -p "$share/bash-completion/completions" "$share/zsh/vendor-completions" \
    "$share/fish/vendor_completions.d"
  node dist/src/main.js completion bash >"$share/bash-completion/completions/pinwarden"
  node dist/src/main.js completion zsh >"$share/zsh/vendor-completions/_pinwarden"
  node dist/src/main.js completion fish >"$share/fish/vendor_completions.d/pinwarden.fish"
}

write_manual() {
  mkdir -p "$root/usr/share/man/man1"
  node "$here/manual.js" dist/src/main.js "$version" | gzip -9n \
    >"$root/usr/share/man/man1/pinwarden.1.gz"
}

write_control() {
  local kilobytes script
  kilobytes=$(du -sk --apparent-size "$root" | cut -f 1)
  mkdir "$root/DEBIAN"
  sed "s/@version@/$version/; s/@maintainer@/$maintainer/; s/@architecture@/$architecture/; s/@kilobytes@/$kilobytes/" \
    "$here/control" >"$root/DEBIAN/control"
  printf '/etc/logrotate.d/pinwarden\n' >"$root/DEBIAN/conffiles"
  for script in postinst prerm postrm; do install -m 0755 "$here/$script" "$root/DEBIAN"; done
  (cd "$root" && find etc usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) \
    >"$root/DEBIAN/md5sums"
}

main
