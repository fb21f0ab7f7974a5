#!/usr/bin/env bash
# Restarts the proxies one after the other and the orchestrator last, so that there is always one to play from and settings are read anew. In the folder
# of the compose file (COMPOSE_FILE names another one than docker-compose.yml):
#
#   scripts/rolling-restart.sh [PROXY…]      by default every service whose name begins with acexy
#
# A proxy that is told to end takes no new viewers; those it has watch on for ACEXY_DRAIN_TIMEOUT, and find another proxy behind the same address when
# they come again. The next one is restarted when this one is healthy; where one does not become so, the others stay as they are.
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
all=$(grep '^acexy' <<<"$services" || true) # none: told of below
proxies=("$@")
[ "${#proxies[@]}" != 0 ] || mapfile -t proxies < <(grep . <<<"$all" || true)
[ "${#proxies[@]}" != 0 ] || fail 'the compose file has no service whose name begins with acexy: name the proxies'
for proxy in "${proxies[@]}"; do has_service "$proxy" || fail "the compose file has no service $proxy, but $(tr '\n' ' ' <<<"$services")"; done

for proxy in "${proxies[@]}"; do
  others=0
  for other in $all "${proxies[@]}"; do [ "$other" = "$proxy" ] || ! is_healthy "$other" || others=$((others + 1)); done
  [ "$others" != 0 ] || echo "no other proxy is healthy: until $proxy is back, nobody can play"
  say_and_run "${compose[@]}" stop "$proxy"
  # Alone: what it depends on is restarted last.
  say_and_run "${compose[@]}" up -d --no-deps "$proxy"
  wait_healthy "$proxy"
done
say_and_run "${compose[@]}" stop orchestrator
say_and_run "${compose[@]}" up -d --no-deps orchestrator
wait_healthy orchestrator
