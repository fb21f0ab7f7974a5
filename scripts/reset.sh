#!/usr/bin/env bash
# Removes state and starts again. Run it in the folder of docker-compose.yml; COMPOSE_FILE names another compose file.
#
#   scripts/reset.sh --keep-database     removes all engines; database, key and proxies stay. Viewers wait until engines are back
#   scripts/reset.sh --everything        removes services, engines and volumes: DATABASE AND KEY ARE LOST; then starts again. Asks first, unless --yes
#
# Both work when nothing is left to remove, and again after an interruption. --images also removes images without a name (docker image prune).
set -euo pipefail
# shellcheck source=scripts/compose-project.sh
. "$(dirname "${BASH_SOURCE[0]}")/compose-project.sh"

usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 64
}

what='' yes=no images=no
for option in "$@"; do
  case $option in
    --keep-database | --everything) what=$option ;;
    --yes) yes=yes ;;
    --images) images=yes ;;
    *) usage ;;
  esac
done

keep_database() {
  print_and_run "${compose[@]}" stop orchestrator
  remove_engines
  print_and_run "${compose[@]}" up -d --no-deps orchestrator
  wait_healthy orchestrator
  echo 'new engines start as MIN_REPLICAS and the viewers need them: curl http://localhost:8000/engines'
}

everything() {
  if [ "$yes" = no ]; then
    [ -t 0 ] || fail 'this deletes the database and the key: add --yes to confirm'
    read -rp 'This deletes the database and the key of this installation. Continue? [y/N] ' answer
    case $answer in y | Y | yes) ;; *) fail 'nothing was changed' ;; esac
  fi
  # Stop the orchestrator first, because it would start new engines. Engines in the service `docker` are in its volume.
  print_and_run "${compose[@]}" stop orchestrator
  has_service docker || remove_engines
  # Only volumes of this project; other volumes on this host stay.
  print_and_run "${compose[@]}" down --volumes --remove-orphans
  [ "$images" = no ] || print_and_run docker image prune -f
  print_and_run "${compose[@]}" up -d
  local service
  for service in $services; do wait_healthy "$service"; done
}

[ -n "$what" ] || usage
find_compose
if [ "$what" = --everything ]; then everything; else keep_database; fi
