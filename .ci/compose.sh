#!/usr/bin/env bash
# Makes sure that `docker compose` (version 2) exists: uses the installed one, else builds it from its Go module, once for all checkouts.
# If that is not possible, prints why and exits with 69.
set -euo pipefail
readonly VERSION=v2.40.3
readonly UNAVAILABLE=69

if docker compose version >/dev/null 2>&1; then exit 0; fi
if ! command -v go >/dev/null; then
  echo 'no docker compose: it is not installed, and Go is missing to build it' >&2
  exit $UNAVAILABLE
fi

cache=${ACESTREAM_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/acestream-orchestrator-ci}
binary=$cache/docker-compose-$VERSION
if [ ! -x "$binary" ]; then
  echo "building docker compose $VERSION (about two minutes, once)"
  mkdir -p "$cache"
  module=$(mktemp -d "$cache/compose-module.XXXXXX")
  trap 'rm -rf "$module"' EXIT
  (
    cd "$module"
    go mod init compose >go.log 2>&1 && go get "github.com/docker/compose/v2/cmd@$VERSION" >>go.log 2>&1 \
      && go build -o "$binary.part" -ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=$VERSION" github.com/docker/compose/v2/cmd >>go.log 2>&1
  ) || {
    tail -5 "$module/go.log" >&2
    echo "no docker compose: building it failed" >&2
    exit $UNAVAILABLE
  }
  mv "$binary.part" "$binary"
fi
plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
mkdir -p "$plugins"
ln -sf "$binary" "$plugins/docker-compose"
docker compose version
