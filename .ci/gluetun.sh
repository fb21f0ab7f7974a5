#!/usr/bin/env bash
# Prepares the VPN tests: tools, the real image of Gluetun, present or pulled, and the VPN server at the other end of its tunnel. Prints the name of the
# image on the last line. If that is not possible, prints why and exits with 69.
#
#   .ci/gluetun.sh                     for the tests with a real Gluetun
#   .ci/gluetun.sh --or-replacement    without the real image, builds one from apps/gluetun-simulator (npm test compiles it) with a real tunnel
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
have_real() { docker image inspect "$REAL" >/dev/null 2>&1 || timeout "$PULL_LIMIT_S" docker pull -q "$REAL" >/dev/null 2>&1; }
if have_real; then image=$REAL; else image=$REPLACEMENT; fi
[ "$image" = "$REAL" ] || [ "${1-}" = --or-replacement ] || unavailable "$REAL is missing and cannot be pulled, so tests with a real Gluetun are skipped"

# tcpdump detects packets that bypass the tunnel. Without it that test is skipped.
missing=()
command -v wg >/dev/null || missing+=(wireguard-tools)
command -v tcpdump >/dev/null || missing+=(tcpdump)
if ((${#missing[@]})); then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 || true
  command -v wg >/dev/null || unavailable 'apt-get could not install wireguard-tools'
fi

test/images/build-stand-ins.sh >/dev/null || unavailable 'the base image could not be built'
docker build -q -t acestream-test/vpn-server:latest test/images/vpn-server >/dev/null || unavailable 'the VPN server could not be built'
if [ "$image" = "$REPLACEMENT" ]; then
  context=$(mktemp -d)
  trap 'rm -rf "$context"' EXIT
  cp -R test/images/gluetun/. apps/gluetun-simulator/package.json apps/gluetun-simulator/dist "$context"
  docker build -q -t "$REPLACEMENT" "$context" >/dev/null || unavailable 'the replacement of Gluetun could not be built'
fi
echo "$image"
