#!/usr/bin/env bash
# Builds a real Gluetun for the tests with the scripts in REAL_GLUETUN. If that is not possible, prints why and exits with 69.
set -euo pipefail
readonly UNAVAILABLE=69
here=$(cd "$(dirname "$0")/.." && pwd)
scripts=${REAL_GLUETUN:-$here/../shared/real-gluetun}
unavailable() {
  echo "no real Gluetun: $*" >&2
  exit $UNAVAILABLE
}
docker info >/dev/null 2>&1 || unavailable 'no Docker Engine answers'
[ -x "$scripts/build" ] || unavailable "there are no scripts at $scripts"
[ -e /dev/net/tun ] || unavailable 'this machine has no /dev/net/tun'
[ "$(id -u)" = 0 ] || unavailable 'only root can build the replacement of its base image'
if ! command -v wg >/dev/null; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wireguard-tools; } >/dev/null 2>&1 \
    || unavailable 'apt-get could not install wireguard-tools'
fi
# tcpdump detects packets that bypass the tunnel. Without it that test is skipped.
command -v tcpdump >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tcpdump; } >/dev/null 2>&1 || true
if docker image inspect qmcgaw/gluetun:v3.41.1 vpn-server >/dev/null 2>&1; then exit 0; fi
"$here/test/images/build-stand-ins.sh" >/dev/null || unavailable 'the replacement of its base image could not be built'
BASE=acestream-test/node "$scripts/build" >/dev/null || unavailable 'its images could not be built'
echo 'built a real Gluetun'
