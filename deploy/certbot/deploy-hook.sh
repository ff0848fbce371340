#!/bin/sh
# Hands a certificate that certbot has just got or renewed to pinwarden.
#
# Goes to /etc/pinwarden/deploy-hook.sh, mode 755, owned by root, and is named to certbot once, by
# --deploy-hook; certbot remembers it for that certificate and runs it as root after each renewal. It
# is not for /etc/letsencrypt/renewal-hooks, where it would also run for the other certificates of this host.
# The settings name, beside config.json: tls/current/fullchain.pem and tls/current/privkey.pem.
#
# Certificate and key lie in a folder of their own, and `current` is a link to it: replaced in one
# step, so that the daemon, which notices within two seconds, never finds one without the other.
# There is nothing to change; the three variables are for other places than the usual ones.
set -eu

lineage=${RENEWED_LINEAGE:?certbot sets it: the folder with fullchain.pem and privkey.pem}
tls=${PINWARDEN_TLS:-/etc/pinwarden/tls}
group=${PINWARDEN_GROUP:-pinwarden}

die() {
  printf 'pinwarden deploy hook: %s\n' "$*" >&2
  exit 1
}

# No other user can read what is made here until its mode says so.
umask 077
mkdir -p "$tls"
chgrp "$group" "$tls"
chmod 0750 "$tls"

pair=$(mktemp -d "$tls/pair.XXXXXX")
trap 'rm -rf -- "$pair"' EXIT
cp -- "$lineage/fullchain.pem" "$lineage/privkey.pem" "$pair"

# The daemon would refuse a pair that does not match and keep the old one; here the operator sees it immediately.
of_cert=$(openssl x509 -in "$pair/fullchain.pem" -noout -pubkey) || die 'no certificate'
of_key=$(openssl pkey -in "$pair/privkey.pem" -pubout 2>/dev/null) || die 'no private key'
[ "$of_cert" = "$of_key" ] || die 'the key does not belong to the certificate'

chgrp -R "$group" "$pair"
chmod 0640 "$pair/fullchain.pem" "$pair/privkey.pem"
chmod 0750 "$pair"

before=$(readlink "$tls/current" || true)
ln -s "${pair##*/}" "$pair.link"
mv -T "$pair.link" "$tls/current"
trap - EXIT

# The pair before stays until the next time: the daemon may be about to read it.
for old in "$tls"/pair.*; do
  [ "$old" = "$pair" ] || [ "${old##*/}" = "$before" ] || rm -rf -- "$old"
done
