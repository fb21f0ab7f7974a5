#!/usr/bin/env bash
# Tests docker-compose.gluetun.yml as users run it: Gluetun with a real tunnel, the filter in front of Docker, and a stream through all of it. Where
# Gluetun's image is missing, the Gluetun simulator with a real WireGuard tunnel takes its place. Needs the images that .ci/stack.sh builds. Engines are
# simulated. What is not possible is reported as SKIPPED.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly CONTENT=dd1e67078381739d14beca697356ab76d49d1a2d
readonly NAME=acestream-vpn-test-$$
readonly KEY=key-of-gluetun-$$
work=$(mktemp -d "${TMPDIR:-/tmp}/$NAME.XXXXXX")
failures=0

main() {
  .ci/compose.sh >/dev/null && .ci/gluetun.sh --or-replacement >"$work/gluetun.log" || skip 'see the lines above'
  local image
  GLUETUN_IMAGE=$(tail -1 "$work/gluetun.log")
  export GLUETUN_IMAGE
  case $GLUETUN_IMAGE in acestream-test/*) echo "SKIPPED: the real Gluetun; the simulator with a real tunnel takes its place" ;; esac
  for image in acestream-test/orchestrator acestream-test/acexy acestream-engine-simulator; do
    docker image inspect "$image" >/dev/null 2>&1 || skip "image $image is missing (.ci/stack.sh builds it)"
  done
  step 'engines that depend on the tunnel' engine_image
  mkdir "$work/checkout"
  git ls-files -z --cached --others --exclude-standard docker-compose.gluetun.yml docker test/images | tar --null -T - -c | tar -C "$work/checkout" -x
  cd "$work/checkout"
  settings

  # Try again, because a service on a slow machine may be unhealthy for a moment.
  step 'up' eventually 180 docker compose --progress plain up -d --no-build --wait --wait-timeout 120
  docker compose ps --format 'table {{.Service}}\t{{.Status}}'
  check 'the VPN is connected, and the key is accepted' eventually 60 vpn_status_is '.connected and .forwarded_port != null and (.reason | test("GLUETUN_API_KEY") | not)'
  check 'the control server answers 401 without the key, and with a wrong key' control_needs_key
  check 'the role of the key allows only the routes that the orchestrator reads' role_is_restricted
  check 'engines run and have the address of Gluetun' eventually 60 engines_at "$GLUETUN_CONTAINER_NAME"
  check 'engines use the network of Gluetun and publish no port' engines_in_its_network
  check 'each forwarded port is used by one engine' eventually 60 ports_are_used
  check 'the log of Gluetun has no line for each request of the orchestrator' log_is_quiet
  check 'a stream plays through the proxy from an engine behind the VPN' plays
  check 'the filter allows the calls in docs/security.md and no others' filtered
  check 'the filter runs without root and capabilities on a read-only file system' filter_is_restricted
  check 'the doctor in the container finds nothing wrong' eventually 60 doctor_is_content
  step 'Gluetun restarted' docker restart -t 2 "$GLUETUN_CONTAINER_NAME"
  check 'the engines use its network again' eventually 60 engines_in_its_network
  check 'a stream plays again' plays

  [ "$failures" = 0 ] || { echo "Gluetun stack: $failures of the checks above failed" >&2 && docker compose logs --tail 40 && exit 1; }
  echo "Gluetun stack: all checks passed ($SECONDS s)"
}

skip() {
  echo "SKIPPED: docker-compose.gluetun.yml was not tested: $*"
  exit 0
}

. .ci/checks.sh

engine_image() {
  printf 'FROM acestream-engine-simulator\nENV SIM_BOOT_MS=300 SIM_PREBUF_MS=200 SIM_TUNNEL_PROBE=10.2.0.1:80\n' | docker build -q -t acestream-engine-simulator-vpn:test -
}

# The steps of a user, with our own tunnel target as the provider.
settings() {
  local server_key client_key subnet
  server_key=$(wg genkey)
  client_key=$(wg genkey)
  subnet=10.$((100 + $$ / 250 % 100)).$(($$ % 250))
  export SERVER_KEY=$server_key CLIENT_PUB VPN_SERVER_IP=$subnet.2 VPN_SUBNET=$subnet.0/24
  CLIENT_PUB=$(wg pubkey <<<"$client_key")
  export COMPOSE_PROJECT_NAME=$NAME COMPOSE_FILE=docker-compose.gluetun.yml:test/images/compose.stand-ins.gluetun.yml
  export GLUETUN_CONTAINER_NAME=$NAME-gluetun
  read -r APP_PORT ACEXY_PUBLISHED_PORT < <(free_ports)
  export APP_PORT ACEXY_PUBLISHED_PORT
  sed -i "s/change-me/$KEY/" docker/gluetun/auth-config.toml
  printf '%s\n' "GLUETUN_API_KEY=$KEY" TARGET_IMAGE=acestream-engine-simulator-vpn:test IMAGE_PULL=never MIN_REPLICAS=2 GLUETUN_PORT_CACHE_TTL_S=5 \
    "CONTAINER_LABEL=acestream-test.stack=$NAME" >.env
  cat >gluetun.env <<SETTINGS
VPN_SERVICE_PROVIDER=custom
VPN_TYPE=wireguard
WIREGUARD_IMPLEMENTATION=userspace
WIREGUARD_ENDPOINT_IP=$VPN_SERVER_IP
WIREGUARD_ENDPOINT_PORT=51820
WIREGUARD_PUBLIC_KEY=$(wg pubkey <<<"$server_key")
WIREGUARD_PRIVATE_KEY=$client_key
WIREGUARD_ADDRESSES=10.2.0.2/32
VPN_PORT_FORWARDING=on
VPN_PORT_FORWARDING_PROVIDER=protonvpn
GLUETUN_SIM_FORWARDED_PORTS=51413,57717
PUBLICIP_ENABLED=off
VERSION_INFORMATION=off
DNS_SERVER=off
HEALTH_ICMP_TARGET_IPS=10.2.0.1
HEALTH_TARGET_ADDRESSES=10.2.0.1:80,10.2.0.1:80
SETTINGS
}

call() { curl -sS --max-time 20 "$@"; }
vpn_status_is() { call "http://localhost:$APP_PORT/vpn/status" | tee /dev/stderr | jq -e "$1" >/dev/null; }
engines() { call "http://localhost:$APP_PORT/engines"; }
engines_at() { engines | tee /dev/stderr | jq -e --arg host "$1" 'length > 0 and all(.[]; .host == $host)' >/dev/null; }

# Status of METHOD URL, called from the networks of the orchestrator.
status_from_inside() {
  local method=$1 url=$2 key=${3-}
  docker compose exec -T orchestrator node -e '
    const [method, url, key] = process.argv.slice(1);
    fetch(url, { method, headers: key ? { "X-API-Key": key } : {} }).then(({ status }) => console.log(status));' "$method" "$url" "$key"
}
control() { status_from_inside "$1" "http://$GLUETUN_CONTAINER_NAME:8000$2" "${3-}"; }
control_needs_key() {
  [ "$(control GET /v1/vpn/status)" = 401 ] && [ "$(control GET /v1/vpn/status wrong)" = 401 ] && [ "$(control GET /v1/vpn/status "$KEY")" = 200 ]
}
role_is_restricted() {
  [ "$(control GET /v1/portforward "$KEY")" = 200 ] && [ "$(control PUT /v1/vpn/status "$KEY")" = 401 ] && [ "$(control GET /v1/vpn/settings "$KEY")" = 401 ]
}

# Engines must share the network namespace of Gluetun, so that their packets can only go through it.
engines_in_its_network() {
  local wanted id ids
  wanted=$(namespace_of "$GLUETUN_CONTAINER_NAME")
  mapfile -t ids < <(engines | jq -r '.[] | select(.health_status == "healthy") | .container_id')
  [ "${#ids[@]}" -gt 0 ] || return 1
  for id in "${ids[@]}"; do
    [ "$(namespace_of "$id")" = "$wanted" ] || return 1
    [ "$(docker inspect -f '{{len .NetworkSettings.Ports}} {{len .NetworkSettings.Networks}}' "$id")" = '0 0' ] || return 1
  done
}
ports_are_used() {
  local ports engines
  ports=$(call "http://localhost:$APP_PORT/vpn/status" | jq '.forwarded_ports | length')
  engines=$(engines | tee /dev/stderr | jq '[length, ([.[] | select(.forwarded)] | length)] | join(" ")' -r)
  echo "$ports forwarded ports; engines, and engines with a port: $engines"
  [ "$ports" -gt 0 ] && [ "${engines#* }" = "$((ports < ${engines% *} ? ports : ${engines% *}))" ]
}
log_is_quiet() { ! docker logs "$GLUETUN_CONTAINER_NAME" 2>&1 | grep -m3 '/v1/'; }
namespace_of() { readlink "/proc/$(docker inspect -f '{{.State.Pid}}' "$1")/ns/net"; }

plays() {
  ffmpeg -nostdin -hide_banner -v warning -rw_timeout 60000000 -i "http://localhost:$ACEXY_PUBLISHED_PORT/ace/getstream?id=$CONTENT" -t 4 -map 0 -f null - 2>"$work/ffmpeg.log" \
    || { cat "$work/ffmpeg.log"; return 1; }
  cat "$work/ffmpeg.log"
  [ ! -s "$work/ffmpeg.log" ]
}

. .ci/filter-checks.sh
filtered() {
  filter_allows "/containers/$GLUETUN_CONTAINER_NAME/json" /images/acestream-engine-simulator-vpn:test/json && filter_refuses "$GLUETUN_CONTAINER_NAME" || return 1
  # The state of Gluetun, and not its environment with the keys.
  docker_body "/containers/$GLUETUN_CONTAINER_NAME/json" | tee /dev/stderr | jq -e '.State.Running and (.Config | has("Env") | not) and (has("HostConfig") | not)' >/dev/null
}

clean_up() {
  local code=$? ids installation
  trap - EXIT
  if [ -f "$work/checkout/.env" ]; then
    cd "$work/checkout"
    docker compose kill >/dev/null 2>&1 || true # before its engines, or it would start new ones; it may not exist
    mapfile -t ids < <(docker ps -aq --filter "label=acestream-test.stack=$NAME")
    if [ "${#ids[@]}" != 0 ]; then
      # The lease of the killed orchestrator has only the label of the installation.
      installation=$(docker inspect -f '{{index .Config.Labels "acestream-orchestrator.installation"}}' "${ids[0]}")
      mapfile -t ids < <(docker ps -aq --filter "label=acestream-orchestrator.installation=$installation")
      docker rm -f "${ids[@]}" >/dev/null
    fi
    docker compose --progress quiet down -v --remove-orphans || true # report the first failure
  fi
  rm -rf "$work"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
main
