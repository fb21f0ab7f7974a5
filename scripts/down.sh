#!/usr/bin/env bash
# Stops this installation with its engines: removes services, engines and networks. Database, key and images stay. Run it in the folder of
# docker-compose.yml; COMPOSE_FILE names another compose file.
#
#   scripts/down.sh [OPTION…]      options are those of `docker compose down`: --volumes also deletes DATABASE AND KEY
#
# `docker compose down` alone leaves engines on the Docker Engine of this host, so that a restart finds them, and cannot remove the network they use.
set -euo pipefail
# shellcheck source=scripts/compose-project.sh
. "$(dirname "${BASH_SOURCE[0]}")/compose-project.sh"

case ${1-} in
  -h | --help)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 64
    ;;
esac
find_compose
# The orchestrator first, because it would start new engines.
print_and_run "${compose[@]}" stop orchestrator
# Engines in the service `docker` end with it.
has_service docker || remove_engines
print_and_run "${compose[@]}" down "$@"
