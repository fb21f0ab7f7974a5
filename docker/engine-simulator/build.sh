#!/bin/sh
# Builds the image of the engine simulator without a registry: node of this machine, a shell and a few commands with their libraries, and the built
# simulator. Linux only, because it copies files of this machine. DOCKER_HOST selects another Docker Engine.
#
#   docker/engine-simulator/build.sh [IMAGE]      default: acestream-engine-simulator:latest
set -eu
image=${1:-acestream-engine-simulator:latest}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# cat, du and rm: for operators who check an engine's cache with `docker exec`; grep: for the health check.
commands='cat curl du grep rm'

fail() {
  echo "build.sh: $*" >&2
  exit 1
}
[ "$(uname -s)" = Linux ] || fail 'this machine must run Linux, because the image consists of its files'
for command in node ldd docker $commands; do
  command -v "$command" >/dev/null || fail "$command is missing on this machine"
done
[ -f "$root/node_modules/typescript/bin/tsc" ] || fail 'the packages are not installed: run npm ci first'
node "$root/node_modules/typescript/bin/tsc" -b "$root/apps/engine-simulator" "$root/apps/gluetun-simulator"

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
trap 'exit 1' INT TERM HUP
system=$context/system
owned=$context/owned

# Copies a program to `to`, and every library that ldd names to the place where the loader looks for it.
add_program() {
  program=$1 to=$2
  mkdir -p "$system$(dirname "$to")"
  cp -L "$program" "$system$to"
  # ldd fails for a static program, which has no libraries.
  for library in $(ldd "$program" 2>/dev/null | grep -o '/[^ )]*'); do
    [ -f "$system$library" ] && continue
    mkdir -p "$system$(dirname "$library")"
    cp -L "$library" "$system$library"
  done
}
add_program "$(node -p process.execPath)" /usr/local/bin/node
add_program "$(readlink -f /bin/sh)" /bin/sh
for command in $commands; do add_program "$(readlink -f "$(command -v "$command")")" "/usr/bin/$command"; done

mkdir -p "$system/etc/ssl/certs"
[ ! -f /etc/ld.so.cache ] || cp /etc/ld.so.cache "$system/etc/"
echo 'hosts: files dns' >"$system/etc/nsswitch.conf"
printf '%s\n' 'root:x:0:0:root:/:/bin/sh' 'appuser:x:1000:1000:appuser:/home/appuser:/bin/sh' >"$system/etc/passwd"
printf '%s\n' 'root:x:0:' 'appuser:x:1000:' >"$system/etc/group"
for certificates in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem ''; do
  [ -n "$certificates" ] || fail 'found no CA certificates on this machine'
  [ -f "$certificates" ] || continue
  cp -L "$certificates" "$system/etc/ssl/certs/ca-certificates.crt"
  break
done

simulator=$system/opt/engine-simulator
mkdir -p "$simulator/node_modules/@acexy/mpegts"
cp -R "$root/apps/engine-simulator/package.json" "$root/apps/engine-simulator/dist" "$root/apps/engine-simulator/media" "$simulator/"
cp -R "$root/libs/mpegts/package.json" "$root/libs/mpegts/dist" "$simulator/node_modules/@acexy/mpegts/"
# The simulated VPN, for tests of engines in its network; another entry point starts it.
mkdir -p "$system/opt/gluetun-simulator"
cp -R "$root/apps/gluetun-simulator/package.json" "$root/apps/gluetun-simulator/dist" "$system/opt/gluetun-simulator/"
find "$simulator" "$system/opt/gluetun-simulator" \( -name '*.d.ts' -o -name '*.map' -o -name '*.tsbuildinfo' \) -delete

cp "$here/entrypoint.sh" "$system/usr/local/bin/entrypoint"
# Names of the engine in the real images: none, `python main.py`, /app/start-engine, /acestream/acestreamengine.
mkdir -p "$system/app" "$owned/acestream" "$owned/home/appuser/.ACEStream" "$owned/tmp"
for name in "$system/usr/local/bin/acestreamengine" "$system/usr/local/bin/python" "$system/app/start-engine" "$owned/acestream/acestreamengine"; do
  cp "$here/engine.sh" "$name"
  chmod 755 "$name"
done
chmod 755 "$system/usr/local/bin/entrypoint"
chmod 1777 "$owned/tmp"
cp "$here/Dockerfile" "$context/Dockerfile"

# Sent as a stream, so that it works with a Docker Engine on another machine. Owner 0 for every user.
previous=$(docker image inspect -f '{{.Id}}' "$image" 2>/dev/null || true)
tar -C "$context" --owner=0 --group=0 -c . | docker build -q -t "$image" - >"$context/build.log" 2>&1 || {
  cat "$context/build.log" >&2
  fail "docker build of $image failed"
}
# Removes the previous image, which has no name now. An image that a container uses stays.
if [ -n "$previous" ] && [ "$previous" != "$(docker image inspect -f '{{.Id}}' "$image")" ]; then docker rmi "$previous" >/dev/null 2>&1 || true; fi
echo "built $image ($(docker image inspect -f '{{.Size}}' "$image" | awk '{printf "%.0f MB", $1 / 1e6}'), node $(node -p process.versions.node))"
