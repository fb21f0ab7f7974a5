#!/usr/bin/env bash
# Makes sure that a Docker Engine answers: uses a running one, else starts Debian's. If that is not possible, prints why and exits with 69.
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
# A killed daemon leaves pid files. If no parent reaps dead processes, they look alive, and the next daemon would wait forever.
alive() { ps -o stat= -C "$1" 2>/dev/null | grep -qv '^Z'; }
alive dockerd || rm -f /var/run/docker.pid
alive containerd || rm -f /var/run/docker/containerd/containerd.pid

# Some packages start the daemon themselves. Otherwise it starts in its own session, so that it also serves later commands.
# Not `answers || … &`: that shell would keep the output open, and a reader of the pipe would wait forever.
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
