#!/usr/bin/env bash
# Begins anew. In the folder of the compose file (COMPOSE_FILE names another one than docker-compose.yml):
#
#   scripts/reset.sh --keep-database     removes all engines; database, key and proxies stay. Viewers wait until engines are back
#   scripts/reset.sh --everything        removes services, engines and volumes: DATABASE AND KEY ARE LOST; then starts again. Asks first; --yes does not ask
#
# Both may be run when there is nothing to remove, and again where they broke off. --images adds the removal of images without a name (docker image prune).
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
  say_and_run "${compose[@]}" stop orchestrator
  remove_engines
  say_and_run "${compose[@]}" up -d --no-deps orchestrator
  wait_healthy orchestrator
  echo 'engines are started as MIN_REPLICAS and the viewers want them: curl http://localhost:8000/engines'
}

everything() {
  if [ "$yes" = no ]; then
    [ -t 0 ] || fail 'this loses the database and the key; --yes says that it may'
    read -rp 'This loses the database and the key of this installation. Go on? [y/N] ' answer
    case $answer in y | Y | yes) ;; *) fail 'nothing was done' ;; esac
  fi
  # First who would start others. Engines in the service `docker` go with its volume.
  say_and_run "${compose[@]}" stop orchestrator
  has_service docker || remove_engines
  # Only what belongs to this project: other people's volumes on this host stay.
  say_and_run "${compose[@]}" down --volumes --remove-orphans
  [ "$images" = no ] || say_and_run docker image prune -f
  say_and_run "${compose[@]}" up -d
  local service
  for service in $services; do wait_healthy "$service"; done
}

[ -n "$what" ] || usage
find_compose
if [ "$what" = --everything ]; then everything; else keep_database; fi
