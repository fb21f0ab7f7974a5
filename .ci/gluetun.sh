#!/usr/bin/env bash
# Prepares the VPN tests: tools, the VPN server at the other end of the tunnel, and Gluetun. Uses its real image, present or pulled. Without one it says so
# and builds a replacement from apps/gluetun-simulator with a real tunnel, which only .ci/gluetun-stack.sh uses. If not even that is possible, prints
# why and exits with 69. Prints the name of the image on the last line.
set -euo pipefail
readonly UNAVAILABLE=69 PULL_LIMIT_S=180
readonly REAL=qmcgaw/gluetun:v3.41.1 REPLACEMENT=acestream-test/gluetun:latest
cd "$(dirname "$0")/.."
unavailable() {
  echo "no VPN tests: $*" >&2
  exit $UNAVAILABLE
}
docker info >/dev/null 2>&1 || unavailable 'no Docker Engine answers'
[ -e /dev/net/tun ] || unavailable 'this machine has no /dev/net/tun'
[ "$(id -u)" = 0 ] || unavailable 'only root can build the replacements of public images'
# tcpdump detects packets that bypass the tunnel. Without it that test is skipped.
missing=()
command -v wg >/dev/null || missing+=(wireguard-tools)
command -v tcpdump >/dev/null || missing+=(tcpdump)
if ((${#missing[@]})); then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 || true
  command -v wg >/dev/null || unavailable 'apt-get could not install wireguard-tools'
fi

test/images/build-stand-ins.sh >/dev/null || unavailable 'the base image could not be built'
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
# build FOLDER IMAGE: the folder of test/images, with the simulator.
build() {
  rm -rf "${context:?}"/*
  cp -R "test/images/$1/." apps/gluetun-simulator/package.json apps/gluetun-simulator/dist "$context"
  docker build -q -t "$2" "$context" >/dev/null || unavailable "the image $2 could not be built"
}
npx tsc -b apps/gluetun-simulator
build vpn-server acestream-test/vpn-server:latest

if docker image inspect "$REAL" >/dev/null 2>&1 || timeout "$PULL_LIMIT_S" docker pull -q "$REAL" >/dev/null 2>&1; then
  echo "$REAL"
else
  echo "$REAL is missing and cannot be pulled: tests with a real Gluetun are skipped" >&2
  build gluetun "$REPLACEMENT"
  echo "$REPLACEMENT"
fi
