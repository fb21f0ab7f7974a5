#!/usr/bin/env bash
# Builds stand-ins for the public images of our Dockerfile and compose files from Debian and npm packages, for test machines without an image registry.
# Their names start with acestream-test/, so that nobody mistakes them for the real images.
#
#   test/images/build-stand-ins.sh      builds acestream-test/node, …/dind, …/haproxy and …/prometheus, unless they exist
#
# Needs root (debootstrap). ACESTREAM_CI_CACHE keeps the downloads; NODE_MAJOR selects the Node version inside.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${ACESTREAM_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/acestream-orchestrator-ci}
node_major=${NODE_MAJOR:-24}
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) echo "build-stand-ins.sh: no Node package for $(uname -m)" >&2 && exit 1 ;;
esac
# The tag changes with the script, the Node version and the packages.
version=$(cat "$0" "$here"/{dind,haproxy,prometheus}/* | cat - <(echo "$node_major $arch") | sha256sum | cut -c1-12)
node_image=acestream-test/node:$version

have_image() { docker image inspect "$1" >/dev/null 2>&1; }

# The parts of node:NN-bookworm-slim that our Dockerfile uses: Debian, node and its headers under /usr/local, npm, the user node (1000), and the
# package registry settings of this machine.
make_node_root() {
  local root=$1
  command -v debootstrap >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null; }
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$root.log" 2>&1 || { tail -20 "$root.log" >&2; return 1; }
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*

  local package
  package=$(cd "$cache" && npm pack --silent "node-linux-$arch@$node_major")
  tar -xzf "$cache/$package" -C "$root/usr/local" --strip-components=1 --exclude=package/package.json --exclude='package/*.md'
  rm "$cache/$package"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -R "$(npm root -g)/npm" "$root/usr/local/lib/node_modules/"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
  echo 'node:x:1000:1000::/home/node:/bin/sh' >>"$root/etc/passwd"
  echo 'node:x:1000:' >>"$root/etc/group"
  install -d -o 1000 -g 1000 "$root/home/node"

  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  mkdir -p "$root/usr/local/etc"
  local registry
  registry=$(npm config get registry)
  # Only addresses and certificates, never a token.
  printf '%s\n' "registry=$registry" 'cafile=/etc/ssl/certs/ca-certificates.crt' >"$root/usr/local/etc/npmrc"
}

mkdir -p "$cache"
if have_image "$node_image"; then
  echo "$node_image exists"
else
  echo "building $node_image (Debian bookworm, Node $node_major)"
  archive=$cache/node-root-$version.tar
  if [ ! -f "$archive" ]; then
    work=$(mktemp -d "$cache/node-root.XXXXXX")
    trap 'rm -rf "$work" "$work.log"' EXIT
    make_node_root "$work/root"
    tar -C "$work/root" -cf "$archive.part" .
    rm -f "$cache"/node-root-*.tar
    mv "$archive.part" "$archive"
  fi
  docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' --change 'CMD ["node"]' "$archive" "$node_image" >/dev/null
fi
docker tag "$node_image" acestream-test/node:latest
for name in dind haproxy prometheus; do
  image=acestream-test/$name:$version
  if have_image "$image"; then
    echo "$image exists"
  else
    echo "building $image from Debian's packages"
    docker build -q --build-arg "NODE_IMAGE=$node_image" -t "$image" "$here/$name" >/dev/null
  fi
  docker tag "$image" "acestream-test/$name:latest"
done
