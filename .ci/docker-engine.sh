#!/usr/bin/env bash
# Sees to it that a Docker Engine answers: takes the one that does, else brings up Debian's. Ends with 69 where none is to be had, and says why.
set -euo pipefail
readonly UNAVAILABLE=69
readonly START_LIMIT_S=30
unavailable() {
  echo "no Docker Engine: $*" >&2
  exit $UNAVAILABLE
}

answers() { docker info >/dev/null 2>&1; }

if answers; then exit 0; fi
[ -z "${DOCKER_HOST:-}" ] || unavailable "nothing answers at DOCKER_HOST=$DOCKER_HOST"
[ "$(id -u)" = 0 ] || unavailable 'nothing answers, and only root may start one'
if ! command -v dockerd >/dev/null; then
  command -v apt-get >/dev/null || unavailable 'dockerd is not installed, and there is no apt-get'
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables; } >/dev/null \
    || unavailable 'apt-get could not install docker.io'
fi

cache=${ACESTREAM_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/acestream-orchestrator-ci}
mkdir -p "$cache"
# One that was killed leaves pid files. Where nobody reaps the dead they look alive for ever, and the next daemon would wait for them.
alive() { ps -o stat= -C "$1" 2>/dev/null | grep -qv '^Z'; }
alive dockerd || rm -f /var/run/docker.pid
alive containerd || rm -f /var/run/docker/containerd/containerd.pid

# Some packages start it themselves. Otherwise in a session of its own: it serves whatever is run next, too.
# Not `answers || … &`: that shell would outlive this one with its output open, and whoever reads it through a pipe would wait for ever.
if ! answers; then setsid dockerd </dev/null >"$cache/dockerd.log" 2>&1 & fi
for ((second = 0; second < START_LIMIT_S; second++)); do
  if answers; then
    echo "started a Docker Engine ($(docker version --format '{{.Server.Version}}'))"
    exit 0
  fi
  sleep 1
done
tail -5 "$cache/dockerd.log" >&2
unavailable "dockerd did not answer within $START_LIMIT_S s"
