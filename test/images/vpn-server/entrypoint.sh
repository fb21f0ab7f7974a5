#!/bin/sh
# SERVER_KEY: private key of this server; CLIENT_PUB: public key of the client 10.2.0.2.
set -eu
wireguard-go wg0
printf '%s' "$SERVER_KEY" >/run/server-key
wg set wg0 listen-port 51820 private-key /run/server-key peer "$CLIENT_PUB" allowed-ips 10.2.0.2/32
ip address add 10.2.0.1/24 dev wg0
ip link set wg0 up
exec node /opt/vpn-server/gateway.mjs
