#!/usr/bin/env bash
# Removes pinwarden from this host; the configuration, logs and user stay unless asked otherwise.
set -euo pipefail

usage='usage: deploy/uninstall.sh [--purge] [--root DIR]

  --purge     also remove the configuration with all keys, state, logs, drop-ins and the user
  --root DIR  remove from below DIR instead of / (the variable DESTDIR does the same)'

root=${DESTDIR:-}
purge=no
while (($# > 0)); do
  case $1 in
    --root=*) root=${1#*=} && shift ;;
    --root) root=${2:?"--root needs a directory"} && shift 2 ;;
    --purge) purge=yes && shift ;;
    -h | --help) printf '%s\n' "$usage" && exit 0 ;;
    *) printf '%s\n' "$usage" >&2 && exit 2 ;;
  esac
done

user=pinwarden
program=/opt/pinwarden
config_dir=/etc/pinwarden
units=/etc/systemd/system
wrapper=/usr/local/bin/pinwarden
share=/usr/local/share

say() { printf '%s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

main() {
  [[ $root != / ]] || root=
  if [[ -n $root ]]; then
    [[ -d $root ]] || die "$root: no such directory"
    root=$(cd "$root" && pwd)
  elif ((EUID != 0)); then
    die 'only root can uninstall'
  fi
  # First the daemon, so that it shuts down cleanly, with its program still there; but before it the
  # socket, on which the next client would start it again.
  for unit in pinwarden.socket pinwarden.service; do
    if with_systemd && [[ -e $units/$unit ]]; then systemctl --quiet disable --now "$unit"; fi
    remove "$units/$unit"
  done
  remove "$program"
  # Another program of that name is left alone.
  if grep -qsF "$program/current/" "$root$wrapper"; then remove "$wrapper"; fi
  remove "$share/bash-completion/completions/pinwarden" "$share/zsh/site-functions/_pinwarden" \
    "$share/fish/vendor_completions.d/pinwarden.fish"
  if [[ $purge == yes ]]; then
    remove "$config_dir" /var/lib/pinwarden /var/log/pinwarden "$units"/pinwarden.{service,socket}.d
    remove_user
  elif [[ -e $root$config_dir ]]; then
    say "kept $root$config_dir and the user $user; --purge removes them"
  fi
  if with_systemd; then systemctl daemon-reload; fi
}

with_systemd() { [[ -z $root && -d /run/systemd/system ]]; }

remove() {
  local path
  for path in "$@"; do
    [[ -e $root$path || -L $root$path ]] || continue
    rm -rf -- "$root${path:?}"
    say "removed $root$path"
  done
}

remove_user() {
  [[ -z $root ]] || return 0
  if getent passwd "$user" >/dev/null; then userdel "$user"; fi
  # userdel takes the group along where it is the user's own.
  if getent group "$user" >/dev/null; then groupdel "$user"; fi
}

main
