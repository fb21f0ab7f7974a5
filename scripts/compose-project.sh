# shellcheck shell=bash
# Shared functions of the operators' scripts: the compose project of the current folder (COMPOSE_FILE names another file than docker-compose.yml), with
# Compose 2 or 1, and the engines of its orchestrator. Source this file.

# On every engine, and on the container that is the orchestrator's lease.
readonly INSTALLATION_LABEL=acestream-orchestrator.installation

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# Prints each command before it runs.
print_and_run() {
  printf '$ %s\n' "$*"
  "$@"
}

find_compose() {
  [ -n "${COMPOSE_FILE-}" ] || [ -e docker-compose.yml ] || fail "no docker-compose.yml in $PWD: change to its folder, or set COMPOSE_FILE"
  if docker compose version >/dev/null 2>&1; then compose=(docker compose)
  elif docker-compose version >/dev/null 2>&1; then compose=(docker-compose)
  else fail 'neither docker compose nor docker-compose works: install one of them'; fi
  services=$("${compose[@]}" config --services) || fail 'the compose file is not valid: see the lines above'
}

has_service() { grep -qx "$1" <<<"$services"; }

# Runs docker where the engines are: in the service `docker` if the project has one, else on this host.
engines_docker() { if has_service docker; then "${compose[@]}" exec -T docker docker "$@" </dev/null; else docker "$@"; fi; }

# Removes the engines of this installation, and its lease if the orchestrator could not. INSTALLATION overrides the id in the database of the orchestrator. In the service `docker`, all engines
# belong to this installation.
remove_engines() {
  local containers installation=${INSTALLATION-}
  containers=$(engines_docker ps -aq --filter "label=$INSTALLATION_LABEL") || fail 'Docker cannot list the engines'
  if [ -n "$containers" ] && ! has_service docker; then
    [ -n "$installation" ] || installation=$(installation_id) || exit
    containers=$(docker ps -aq --filter "label=$INSTALLATION_LABEL=$installation") || fail 'Docker cannot list the engines'
  fi
  # `docker rm -f` without arguments is an error.
  if [ -z "$containers" ]; then echo 'no engine to remove'; return; fi
  # shellcheck disable=SC2086 # one word each
  engines_docker rm -f $containers >/dev/null || fail 'some engines could not be removed: see the lines above'
  echo "removed $(wc -w <<<"$containers") containers of engines"
}

# The id of this installation. Every engine has it as a label. Works while the orchestrator is stopped; `mode=rw` creates no empty database.
installation_id() {
  local id
  id=$("${compose[@]}" run --rm --no-deps -T --entrypoint sqlite3 orchestrator 'file:/data/orchestrator.db?mode=rw' 'SELECT uuid FROM installation' </dev/null | tr -d '\r') || id=
  [ -n "$id" ] || fail "the id of this installation is not in orchestrator.db of its volume, so it is unknown which engines belong to it: name one with INSTALLATION=…
$(docker ps -a --filter "label=$INSTALLATION_LABEL" --format "{{.Label \"$INSTALLATION_LABEL\"}}" | sort -u)"
  echo "$id"
}

# containers_of [-a] SERVICE: its containers, with -a also stopped ones. Several are replicas of a scaled service.
containers_of() { "${compose[@]}" ps -q "$@"; }

# healthy, or running if the container has no health check.
state_of() { docker inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' "$1"; }

is_healthy() { case $(state_of "$1") in healthy | running) ;; *) return 1 ;; esac }

# Whether the service has containers and all are healthy, except those given after its name.
are_healthy() {
  local service=$1 container containers
  shift
  containers=$(containers_of "$service" | grep -vxF -e '' "${@/#/-e}") || return
  for container in $containers; do is_healthy "$container" || return; done
}

# Waits at most HEALTH_LIMIT_S (120) until are_healthy.
wait_healthy() {
  local limit=$((SECONDS + ${HEALTH_LIMIT_S:-120}))
  until are_healthy "$@"; do
    [ $SECONDS -lt $limit ] || fail "$1 is not healthy after ${HEALTH_LIMIT_S:-120} s: ${compose[*]} logs --tail=50 $1"
    sleep 0.5
  done
  echo "$1 is healthy"
}
