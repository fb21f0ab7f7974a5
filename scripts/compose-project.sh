# shellcheck shell=bash
# What the scripts of operators share: the compose project of the folder they are called in (COMPOSE_FILE names another file than docker-compose.yml),
# with Compose 2 or 1, and the engines of its orchestrator. Sourced.

readonly ENGINE_LABEL=acestream-orchestrator
readonly INSTALLATION_LABEL=acestream-orchestrator.installation

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# Each command is told before it is run.
say_and_run() {
  printf '$ %s\n' "$*"
  "$@"
}

find_compose() {
  [ -n "${COMPOSE_FILE-}" ] || [ -e docker-compose.yml ] || fail "there is no docker-compose.yml in $PWD; COMPOSE_FILE may name another file"
  if docker compose version >/dev/null 2>&1; then compose=(docker compose)
  elif docker-compose version >/dev/null 2>&1; then compose=(docker-compose)
  else fail 'neither docker compose nor docker-compose answers'; fi
  services=$("${compose[@]}" config --services) || fail 'the compose file is not valid: the lines above say why'
}

has_service() { grep -qx "$1" <<<"$services"; }

# Runs docker where the engines are: in the service `docker` where the project has one, else on this host.
engines_docker() { if has_service docker; then "${compose[@]}" exec -T docker docker "$@" </dev/null; else docker "$@"; fi; }

# Removes the engines of the one installation there is. Where there are several, INSTALLATION says which: another pair may use this Docker Engine.
remove_engines() {
  local installations containers filters=(--filter "label=$ENGINE_LABEL")
  installations=$(engines_docker ps -a "${filters[@]}" --format "{{.Label \"$INSTALLATION_LABEL\"}}" | sort -u) || fail 'Docker does not list the engines'
  if [ -n "${INSTALLATION-}" ]; then filters+=(--filter "label=$INSTALLATION_LABEL=$INSTALLATION")
  elif [ "$(grep -c . <<<"$installations")" -gt 1 ]; then
    fail "engines of several installations are on this Docker Engine; say whose are to go: INSTALLATION=… with one of
$installations"
  fi
  containers=$(engines_docker ps -aq "${filters[@]}") || fail 'Docker does not list the engines'
  # `docker rm -f` of nothing would be an error.
  if [ -z "$containers" ]; then echo 'no engine to remove'; return; fi
  # shellcheck disable=SC2086 # one word each
  engines_docker rm -f $containers >/dev/null || fail 'some engines could not be removed: the lines above say why'
  echo "removed $(wc -w <<<"$containers") engines"
}

# What Docker says of the service's container: healthy, or running where it has no health check.
state_of() {
  local container
  container=$("${compose[@]}" ps -q "$1" | head -1)
  [ -n "$container" ] || return 0
  docker inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' "$container"
}

is_healthy() { case $(state_of "$1") in healthy | running) ;; *) return 1 ;; esac }

# HEALTH_LIMIT_S (120) at the most.
wait_healthy() {
  local limit=$((SECONDS + ${HEALTH_LIMIT_S:-120}))
  until is_healthy "$1"; do
    [ $SECONDS -lt $limit ] || fail "$1 is not healthy after ${HEALTH_LIMIT_S:-120} s: ${compose[*]} logs --tail=50 $1"
    sleep 0.5
  done
  echo "$1 is $(state_of "$1")"
}
