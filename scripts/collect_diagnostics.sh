#!/usr/bin/env bash
# Collects what support needs: machine, Docker, services, engines, streams, metrics and logs. Run it in the folder of the compose file, or of
# `npm start`. It reports what is down and collects the rest.
#
#   scripts/collect_diagnostics.sh > diagnostics_$(date +%Y%m%d_%H%M%S).txt
#   scripts/collect_diagnostics.sh --bundle [FILE.tar.gz]      one file with longer logs, settings and containers
#
# Keys, passwords, tokens and VPN secrets are removed, wherever they stand, also encoded. COMPOSE_FILE names another compose file, ORCHESTRATOR_URL and ACEXY_URL other addresses than
# those in .env. COMMAND_LIMIT_S (20) limits each command.
set -uo pipefail
export LC_ALL=C
readonly LIMIT=${COMMAND_LIMIT_S:-20}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# A copy of this script in the folder of the compose file finds it, too. Without it, secrets would stay in the report.
redaction=$here/redaction.sh
[ -e "$redaction" ] || redaction=$here/scripts/redaction.sh
# shellcheck source=scripts/redaction.sh
. "$redaction" || { echo "${0##*/}: redaction.sh, which removes secrets, is missing: put it beside this script" >&2; exit 66; }
umask 077

main() {
  case ${1-} in
    '') mode=report ;;
    --bundle) mode=bundle bundle=${2:-diagnostics_$(date +%Y%m%d_%H%M%S).tar.gz} ;;
    *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 64 ;;
  esac
  case ${bundle-} in '' | /*) ;; *) bundle=$PWD/$bundle ;; esac
  # If called from another folder, use the folder of the compose file.
  [ -e docker-compose.yml ] || [ -e .env ] || [ -n "${COMPOSE_FILE-}" ] || [ ! -e "$here/../docker-compose.yml" ] || cd "$here/.."
  find_compose
  find_services
  folder=$(mktemp -d "${TMPDIR:-/tmp}/diagnostics.XXXXXX") || exit 1
  trap 'rm -rf "$folder"' EXIT
  trap 'exit 130' INT TERM
  secrets=$folder/secrets
  find_secrets >"$secrets"
  if [ "$mode" = report ]; then report | redact "$secrets"; else make_bundle; fi
}

# ---- addresses and compose project ----------------------------------------------------------------------------------------------------------------------------------

limited() { if command -v timeout >/dev/null; then timeout "$LIMIT" "$@"; else "$@"; fi; }

find_compose() {
  compose=()
  if limited docker compose version >/dev/null 2>&1; then compose=(docker compose)
  elif command -v docker-compose >/dev/null; then compose=(docker-compose); fi
}

# Value of a setting: from the environment, else from .env.
setting() {
  local value=${!1-}
  [ -n "$value" ] || value=$(sed -n "s/^[[:space:]]*\(export \)\{0,1\}$1=//p" .env 2>/dev/null | tail -1 | sed "s/[[:space:]]#.*//; s/[[:space:]]*$//; s/^[\"']//; s/[\"']$//")
  printf '%s' "$value"
}

find_services() {
  local listen
  api=$(setting APP_PORT)
  api=${ORCHESTRATOR_URL:-http://localhost:${api:-8000}}
  listen=$(setting ACEXY_LISTEN_ADDR)
  acexy=$(setting ACEXY_PUBLISHED_PORT)
  acexy=${ACEXY_URL:-http://localhost:${acexy:-$(expr "${listen:-:8080}" : '.*:\([0-9]*\)$')}}
  key=$(setting API_KEY)
  [ -n "$key" ] || key=$(cat "$(setting API_KEY_FILE)" 2>/dev/null)
  [ -n "$key" ] || key=$(cat "$(setting DATA_DIR)/api-key" data/api-key 2>/dev/null | head -1)
  [ -n "$key" ] || [ "${#compose[@]}" = 0 ] || key=$(limited "${compose[@]}" exec -T orchestrator cat /keys/api-key 2>/dev/null </dev/null)
}

# ---- the report ------------------------------------------------------------------------------------------------------------------------------------------

heading() { printf '\n=== %s ===\n' "$1"; }

# Runs a command within the limit and prints its errors. A failing command does not end the report.
try() {
  printf '$ %s\n' "$*"
  limited "$@" 2>&1 </dev/null
  local code=$?
  case $code in
    0) ;;
    124) echo "($1 did not finish within $LIMIT s)" ;;
    127) echo "($1 is not installed)" ;;
    *) echo "($1 exited with $code)" ;;
  esac
  return 0
}

try_compose() {
  if [ "${#compose[@]}" = 0 ]; then echo '(neither docker compose nor docker-compose is installed)'; else try "${compose[@]}" "$@"; fi
}

# Pass the key on standard input, so that no process list shows it.
call() {
  printf 'header = "Authorization: Bearer %s"\n' "$key" | limited curl -sS --max-time 5 -K - "$1" 2>&1 || echo "($2 not responding at ${1%%\?*})"
}
pretty() { if command -v jq >/dev/null; then jq . 2>/dev/null || true; else cat; fi; }
# JSON is formatted, anything else is printed unchanged.
call_json() {
  local answer
  answer=$(call "$1" "$2")
  printf '%s' "$answer" | pretty | grep . || printf '%s\n' "$answer"
}

report() {
  heading 'System Information'
  date
  try uname -a
  try nproc
  try free -m
  try df -h .
  echo "open files: $(ulimit -n)"
  try docker version
  try_compose version

  heading 'Docker Resources'
  try docker system df
  try docker stats --no-stream
  try docker ps -a --filter label=acestream-orchestrator
  # The Docker Engine of the service `docker`, if the project has one.
  if [ "${#compose[@]}" != 0 ] && limited "${compose[@]}" exec -T docker docker version >/dev/null 2>&1 </dev/null; then
    try_compose exec -T docker docker system df
    try_compose exec -T docker docker stats --no-stream
    try_compose exec -T docker docker ps -a --filter label=acestream-orchestrator
  fi

  heading 'Services Status'
  try_compose ps

  heading 'Orchestrator Health'
  call_json "$api/health" Orchestrator
  call_json "$api/health/ready" Orchestrator
  call_json "$api/orchestrator/status" Orchestrator
  call_json "$api/vpn/status" Orchestrator

  heading 'Acexy Health'
  call_json "$acexy/health/ready" Acexy
  call_json "$acexy/ace/status" Acexy

  heading 'Engines'
  call_json "$api/engines?state=all" Orchestrator

  heading 'Active Streams'
  call_json "$api/streams?status=started" Orchestrator

  heading 'Metrics'
  call "$api/metrics" Orchestrator | grep -E 'orch_|circuit_|not responding'
  call "$acexy/metrics" Acexy | grep -E 'acexy_|not responding'

  heading 'Recent Logs'
  logs 50
}

logs() {
  local service
  for service in orchestrator acexy docker gluetun; do
    printf '%s\n' "--- $service ---"
    if [ "${#compose[@]}" != 0 ] && limited "${compose[@]}" config --services 2>/dev/null </dev/null | grep -qx "$service"; then
      try_compose logs --no-color --tail="$1" "$service"
    else echo "$service is not in this compose project"; fi
  done
}

make_bundle() {
  local name
  name=$(basename "$bundle" .tar.gz)
  mkdir "$folder/$name"
  report | redact "$secrets" >"$folder/$name/report.txt"
  logs 5000 | redact "$secrets" >"$folder/$name/logs.txt"
  try_compose config | redact "$secrets" >"$folder/$name/compose.txt"
  { for file in .env gluetun.env; do [ ! -e "$file" ] || { echo "# $file" && cat "$file"; }; done; } | redact "$secrets" >"$folder/$name/settings.txt"
  {
    local containers
    containers=$(limited docker ps -aq --filter label=acestream-orchestrator 2>/dev/null)
    # shellcheck disable=SC2086 # one word each
    [ -z "$containers" ] || try docker inspect $containers
    [ "${#compose[@]}" = 0 ] || { containers=$(limited "${compose[@]}" ps -q 2>/dev/null) && [ -n "$containers" ] && try docker inspect $containers; }
  } | redact "$secrets" >"$folder/$name/containers.txt"
  tar -czf "$bundle" -C "$folder" "$name" || exit 1
  echo "$bundle"
}

# ---- secrets ------------------------------------------------------------------------------------------------------------------------------------------------

# Every secret of this installation in every form, one per line: of the settings files, of the running containers, of Gluetun's roles, and the files
# that settings name. From the environment only our own names are used, otherwise a user name would be a secret.
find_secrets() {
  local file containers
  {
    printf 'KEY=%s\n' "$key"
    env | grep -E '^(API_KEY|ACEXY_|GLUETUN_|WIREGUARD_|OPENVPN_|HTTPPROXY_|SHADOWSOCKS_)'
    for file in .env gluetun.env "$(setting ENV_FILE)" docker/gluetun/*.toml; do [ ! -f "$file" ] || { cat "$file"; echo; }; done
    [ "${#compose[@]}" = 0 ] || limited "${compose[@]}" config </dev/null
    containers="$(limited docker ps -aq --filter label=acestream-orchestrator </dev/null) $([ "${#compose[@]}" = 0 ] || limited "${compose[@]}" ps -q </dev/null)"
    # shellcheck disable=SC2086 # one word each
    [ -z "${containers// /}" ] || limited docker inspect -f '{{json .Config.Env}}' $containers </dev/null | sed 's/^\["//; s/"\]$//; s/","/\n/g'
    for file in $(env | sed -n 's/^\([A-Z_]*_FILE\)=.*/\1/p') $(sed -n 's/^[[:space:]]*\([A-Z_]*_FILE\)=.*/\1/p' .env gluetun.env); do
      case $file in *KEY* | *PASS* | *TOKEN* | *SECRET*) sed 's/^/KEY=/' "$(setting "$file")" ;; esac
    done
  } 2>/dev/null | secret_values | secret_forms
}

main "$@"
