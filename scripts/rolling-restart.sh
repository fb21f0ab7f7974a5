#!/usr/bin/env bash
# Restarts the proxies one by one and the orchestrator last: one proxy always works, and all services read their settings again. Run it in the folder
# of docker-compose.yml; COMPOSE_FILE names another compose file.
#
#   scripts/rolling-restart.sh [PROXY…]      default: every service whose name begins with acexy, with all its replicas
#
# A stopping proxy rejects new viewers. Its viewers can watch for ACEXY_DRAIN_TIMEOUT, then reconnect through another proxy behind the same address.
# The next proxy is restarted when this one is healthy. If it does not become healthy, the script stops and the others keep running.
set -euo pipefail
# shellcheck source=scripts/compose-project.sh
. "$(dirname "${BASH_SOURCE[0]}")/compose-project.sh"

case ${1-} in
  -*)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 64
    ;;
esac
find_compose
all=$(grep '^acexy' <<<"$services" || true) # empty: reported below
proxies=("$@")
[ "${#proxies[@]}" != 0 ] || mapfile -t proxies < <(grep . <<<"$all" || true)
[ "${#proxies[@]}" != 0 ] || fail 'the compose file has no service whose name begins with acexy: name the proxies as arguments'
for proxy in "${proxies[@]}"; do has_service "$proxy" || fail "the compose file has no service $proxy; it has $(tr '\n' ' ' <<<"$services")"; done

# Says so if no viewer can play while that container is stopped.
warn_if_last() {
  local service container
  for service in $all "${proxies[@]}"; do
    for container in $(containers_of "$service"); do
      [ "$container" = "$1" ] || ! is_healthy "$container" || return 0
    done
  done
  echo "no other proxy is healthy: nobody can play until $2 is back"
}

# A new container replaces each replica in turn. Compose itself would replace all of them at once.
replace_replicas() {
  local service=$1 replica before
  shift
  for replica in "$@"; do
    warn_if_last "$replica" "$service"
    print_and_run docker stop "$replica"
    print_and_run docker rm "$replica"
    before=$(containers_of -a "$service")
    print_and_run "${compose[@]}" up -d --no-deps --no-recreate --scale "$service=$#" "$service"
    # shellcheck disable=SC2086 # one word each
    wait_healthy "$service" $before
  done
}

for proxy in "${proxies[@]}"; do
  containers=$(containers_of -a "$proxy")
  if [ "$(wc -w <<<"$containers")" -gt 1 ]; then
    # shellcheck disable=SC2086 # one word each
    replace_replicas "$proxy" $containers
    continue
  fi
  warn_if_last "$containers" "$proxy"
  print_and_run "${compose[@]}" stop "$proxy"
  # Without its dependencies: the orchestrator is restarted last.
  print_and_run "${compose[@]}" up -d --no-deps "$proxy"
  wait_healthy "$proxy"
done
print_and_run "${compose[@]}" stop orchestrator
print_and_run "${compose[@]}" up -d --no-deps orchestrator
wait_healthy orchestrator
