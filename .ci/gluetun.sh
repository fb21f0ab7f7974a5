#!/usr/bin/env bash
# Builds a real Gluetun for the tests from the recipe in REAL_GLUETUN. If that is not possible, prints why and exits with 69.
set -euo pipefail
readonly UNAVAILABLE=69
here=$(cd "$(dirname "$0")/.." && pwd)
recipe=${REAL_GLUETUN:-$here/../shared/real-gluetun}
unavailable() {
  echo "no real Gluetun: $*" >&2
  exit $UNAVAILABLE
}
docker info >/dev/null 2>&1 || unavailable 'no Docker Engine answers'
[ -x "$recipe/build" ] || unavailable "there is no recipe at $recipe"
[ -e /dev/net/tun ] || unavailable 'this machine has no /dev/net/tun'
[ "$(id -u)" = 0 ] || unavailable 'only root may make the stand-in of its base image'
if ! command -v wg >/dev/null; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wireguard-tools; } >/dev/null 2>&1 \
    || unavailable 'apt-get could not install wireguard-tools'
fi
# Detects packets that bypass the tunnel; without it, the tests say that nothing watches.
command -v tcpdump >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tcpdump; } >/dev/null 2>&1 || true
if docker image inspect qmcgaw/gluetun:v3.41.1 vpn-server >/dev/null 2>&1; then exit 0; fi
"$here/test/images/build-stand-ins.sh" >/dev/null || unavailable 'the stand-in of its base image could not be made'
BASE=acestream-test/node "$recipe/build" >/dev/null || unavailable 'its images could not be built'
echo 'built a real Gluetun'
