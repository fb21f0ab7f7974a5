#!/usr/bin/env bash
# Restarts the proxies one by one and the orchestrator last: one proxy always works, and all services read their settings again. Run it in the folder
# of docker-compose.yml; COMPOSE_FILE names another compose file.
#
#   scripts/rolling-restart.sh [PROXY…]      default: every service whose name begins with acexy
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

for proxy in "${proxies[@]}"; do
  others=0
  for other in $all "${proxies[@]}"; do [ "$other" = "$proxy" ] || ! is_healthy "$other" || others=$((others + 1)); done
  [ "$others" != 0 ] || echo "no other proxy is healthy: nobody can play until $proxy is back"
  print_and_run "${compose[@]}" stop "$proxy"
  # Without its dependencies: the orchestrator is restarted last.
  print_and_run "${compose[@]}" up -d --no-deps "$proxy"
  wait_healthy "$proxy"
done
print_and_run "${compose[@]}" stop orchestrator
print_and_run "${compose[@]}" up -d --no-deps orchestrator
wait_healthy orchestrator
