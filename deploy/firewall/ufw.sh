#!/bin/sh
# Opens the gate's port and closes the cluster's and Kubo's own, on a host that uses ufw.
#
# Run it once as root: sh ufw.sh. It does not switch ufw on: `ufw enable` does, after `ufw allow ssh`.
# Change the two lists below. ufw does not see ports that Docker publishes (those are translated
# before its rules): there, publish none but the gate's, or load pinwarden.nft instead.
set -eu

# 9098 is the gate; 443 where nginx or Caddy stands before it, and 80 for certbot's challenges.
open_ports='9098'

# 9094 is the cluster's REST API, 9095 its IPFS proxy, 9097 its pinning service, 5001 Kubo's RPC. The
# swarm, 9096, is for the cluster's other peers alone; for each of them, before this script:
#   ufw allow from 192.0.2.10 to any port 9096
# Where encoders still pin at Kubo itself (5002 on the supernode), add that port once they moved.
closed_ports='5001 9094 9095 9096 9097'

for port in $open_ports; do
  ufw allow "$port/tcp" comment pinwarden
done
for port in $closed_ports; do
  ufw deny "$port" comment pinwarden
done
