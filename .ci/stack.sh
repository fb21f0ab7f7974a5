#!/usr/bin/env bash
# Tests the Docker installation as users run it. Builds the Dockerfile, starts the stack with compose, plays a stream, changes settings, switches to three
# proxies, and removes everything. Then two installations with engines on this machine's Docker Engine, behind the filter. The images of test/images
# replace public images, and engines are simulated. Without Docker or compose it prints SKIPPED.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly UNAVAILABLE=69
readonly CONTENT=dd1e67078381739d14beca697356ab76d49d1a2d
readonly PROJECT=acestream-test-$$
root=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/$PROJECT.XXXXXX")
failures=0

main() {
  need .ci/docker-engine.sh
  need .ci/compose.sh
  [ "$(id -u)" = 0 ] || skip 'only root can build the replacements of the public images'
  have_tools
  step 'replacements of the public images' test/images/build-stand-ins.sh
  step 'image of the simulator' docker/engine-simulator/build.sh
  copy_checkout
  read -r api_port proxy_port < <(free_ports)
  read -r second_api_port second_proxy_port < <(free_ports)
  export APP_PORT=$api_port ACEXY_PUBLISHED_PORT=$proxy_port

  export COMPOSE_PROJECT_NAME=$PROJECT COMPOSE_FILE=docker-compose.yml:test/images/compose.stand-ins.yml
  check 'Compose reads both files, also without an .env' compose_files_are_valid
  step 'images of the services' docker compose --progress plain build
  check 'the images pass the release check' node "$root/scripts/release-check.mjs" --only images --orchestrator acestream-test/orchestrator --acexy acestream-test/acexy
  step 'an engine image inside the Docker Engine of the stack' load_simulator
  step 'up, without any .env' docker compose --progress plain up -d --wait --wait-timeout 120
  docker compose ps --format 'table {{.Service}}\t{{.Status}}'
  check 'all three services are healthy' all_healthy 3
  check 'the services run without root on a read-only file system' unprivileged
  check 'the containers have the limits of the compose file' limits_apply
  check 'a protected call needs the key that the first start created' only_key_is "$(docker compose exec -T orchestrator cat /keys/api-key)" wrong
  check 'a stream plays through the proxy from an engine in the service docker' plays
  check 'the proxy reported the stream, so both services have the key' eventually 10 streams_reported 1
  check 'engines have the address of the service docker' engines_are_at docker
  check 'after the last viewer no stream is left' eventually 20 no_stream_left
  check 'the doctor in the container finds nothing wrong' eventually 60 doctor_is_content

  engines_before=$(engine_ids)
  old_key=$(docker compose exec -T orchestrator cat /keys/api-key)
  printf 'API_KEY=a-key-of-my-own\nLOG_LEVEL=DEBUG\n' >"$work/checkout/.env"
  step "$(compose_name) restart, with a new .env" standalone_compose restart
  check 'all three services are healthy again' eventually 120 all_healthy 3
  check 'the key in .env is valid now, and the old key is not' only_key_is a-key-of-my-own "$old_key"
  check 'the old engines are adopted' eventually 60 same_engines "$engines_before"
  check 'a stream plays after the restart' plays
  check 'the proxy reported the stream with the new key' eventually 10 streams_reported 2
  check 'sqlite3 in the container checks the database' docker compose exec -T orchestrator sqlite3 'file:/data/orchestrator.db?mode=ro' 'PRAGMA integrity_check'
  step 'diagnostics, as a bundle' scripts/collect_diagnostics.sh --bundle "$work/bundle.tar.gz"
  check 'the bundle contains the engines, and not the key' bundle_lacks a-key-of-my-own
  engines_before=$(engine_ids)
  step 'a reset that keeps the database' scripts/reset.sh --keep-database
  check 'new engines run, and no old one is left' eventually 60 other_engines "$engines_before"
  check 'the database was kept' streams_reported 2
  check 'a stream plays after the reset' plays

  export COMPOSE_FILE=docker-compose.two-proxies.yml:test/images/compose.stand-ins.two-proxies.yml
  step 'three proxies instead of one' docker compose --progress plain up -d --no-build --remove-orphans --wait --wait-timeout 120 --scale acexy=3
  check 'all proxies, the orchestrator and the Docker Engine are healthy' all_healthy 5
  check 'each proxy has an id of its own' eventually 10 proxies_have_own_ids
  check 'a stream plays through the load balancer' plays
  check 'the doctor finds nothing wrong' eventually 60 doctor_is_content
  check 'each content is on one proxy with all its viewers, and all proxies have contents' contents_are_spread
  check 'when one proxy stops, its contents play through the others, and no other viewer notices' others_are_enough
  check 'the restarted proxy is healthy again' eventually 60 all_healthy 5
  ids_before=$(proxy_ids)
  step 'a rolling restart' scripts/rolling-restart.sh
  check 'the new containers have the ids of those that they replaced' eventually 10 proxies_have_ids "$ids_before"
  check 'a stream plays after the rolling restart' plays
  export COMPOSE_FILE=$COMPOSE_FILE:docker-compose.monitoring.yml:test/images/compose.stand-ins.monitoring.yml
  read -r PROMETHEUS_PORT GRAFANA_PORT < <(free_ports)
  export PROMETHEUS_PORT GRAFANA_PORT
  step 'monitoring of all proxies' docker compose --progress plain up -d --no-build prometheus
  check 'Prometheus scrapes the orchestrator and all proxies' eventually 60 scrapes 'acexy acexy acexy orchestrator'
  step "$(compose_name) down" standalone_compose down --remove-orphans
  check 'down leaves no container' no_containers
  docker compose --progress quiet down -v --remove-orphans

  export COMPOSE_PROJECT_NAME=$PROJECT-socket COMPOSE_FILE=docker-compose.socket.yml:test/images/compose.stand-ins.socket.yml
  printf 'TARGET_IMAGE=acestream-engine-simulator\nIMAGE_PULL=never\nMIN_REPLICAS=1\n' >"$work/checkout/.env"
  step "up on this machine's own Docker Engine" docker compose --progress plain up -d --no-build --wait --wait-timeout 120
  docker compose ps --format 'table {{.Service}}\t{{.Status}}'
  check 'the services and the filter are healthy' all_healthy 3
  check 'the services run without root on a read-only file system' unprivileged
  check 'a stream plays through the proxy from an engine on the same Docker Engine' plays
  check 'engines have their container names as addresses' engines_are_at 'acestream-.*'
  check 'engines publish their HTTP port on 127.0.0.1 only' engines_publish_on 127.0.0.1
  check 'the doctor finds nothing wrong' eventually 60 doctor_is_content
  check 'the filter allows what docs/security.md lists and nothing else' filtered
  check 'the filter runs without root and capabilities on a read-only file system' filter_is_restricted

  second step "a second installation on the same host, by $(compose_name)" standalone up -d --no-build
  second check 'its services are healthy' eventually 120 all_healthy 3
  check 'each installation has engines of its own' engines_differ
  check 'the proxy of the first installation reaches only its own orchestrator' reaches_own_orchestrator
  second check 'the proxy of the second installation reaches only its own orchestrator' reaches_own_orchestrator
  second check 'a stream plays through the second installation' plays
  step 'the first installation and its engines removed' scripts/down.sh --volumes
  check 'nothing of it is left' nothing_left
  second check 'a stream plays through the second installation as before' plays
  second step 'the second installation stopped without its script, by Compose' compose_down_leaves_engines
  second step 'and removed with its engines' scripts/down.sh --volumes
  second check 'nothing of it is left either' nothing_left

  [ "$failures" = 0 ] || { echo "stack: $failures of the checks above failed" >&2 && docker compose logs --tail 40; exit 1; }
  echo 'stack: all checks passed'
}

# The tools of this script, and Compose 1, which many users still run as docker-compose.
have_tools() {
  local missing=() tool
  for tool in ffmpeg jq curl docker-compose; do command -v "$tool" >/dev/null || missing+=("$tool"); done
  [ "${#missing[@]}" = 0 ] && return
  # The loop below checks the result.
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 || true
  for tool in ffmpeg jq curl; do command -v "$tool" >/dev/null || skip "$tool is missing, and apt-get could not install it"; done
  command -v docker-compose >/dev/null || echo 'SKIPPED: Compose 1 is not available; its commands are tested with Compose 2'
}

need() {
  local code=0
  "$1" || code=$?
  [ "$code" != "$UNAVAILABLE" ] || skip "see the line above"
  [ "$code" = 0 ] || exit "$code"
}

skip() {
  echo "SKIPPED: the Dockerfile and the compose files were not tested: $*"
  exit 0
}

. .ci/checks.sh

# A fresh clone: the files of the repository in a new folder, without packages, builds or .env.
copy_checkout() {
  mkdir "$work/checkout"
  git ls-files -z --cached --others --exclude-standard | while IFS= read -rd '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done \
    | tar --null -T - -c | tar -C "$work/checkout" -x
  cd "$work/checkout"
}

load_simulator() {
  docker compose --progress plain up -d --no-build --wait --wait-timeout 60 docker || return 1
  docker save acestream-engine-simulator | docker compose exec -T docker docker load
}

# The troubleshooting commands use `docker-compose`: Compose 1 if it exists, else 2. Compose 1 gets only the first compose file, which is enough: it
# finds the containers of a project by their labels.
compose_name() { command -v docker-compose >/dev/null && echo "docker-compose $(docker-compose version --short)" || echo 'docker compose'; }
standalone() { if command -v docker-compose >/dev/null; then docker-compose "$@"; else docker compose "$@"; fi; }
standalone_compose() { COMPOSE_FILE=${COMPOSE_FILE%%:*} standalone "$@"; }

# second step|check …: the same for the second installation.
second() {
  local COMPOSE_PROJECT_NAME=$PROJECT-second APP_PORT=$second_api_port ACEXY_PUBLISHED_PORT=$second_proxy_port
  local api_port=$second_api_port proxy_port=$second_proxy_port
  "$@"
}

compose_files_are_valid() {
  local file
  for file in docker-compose.yml docker-compose.socket.yml docker-compose.two-proxies.yml; do
    docker compose -f "$file" config --quiet && COMPOSE_FILE=$file standalone config --quiet || return 1
  done
}

all_healthy() {
  local healthy
  healthy=$(docker compose ps --format '{{.Service}} {{.Health}}' | grep -c ' healthy$') || true # grep exits with 1 if it counts 0
  docker compose ps
  [ "$healthy" = "$1" ]
}

unprivileged() {
  local service
  for service in orchestrator acexy; do
    # Process 1 is node: check its user and its capabilities.
    docker compose exec -T "$service" node -e '
      const status = require("node:fs").readFileSync("/proc/1/status", "utf8");
      console.log(status.match(/^(Uid|CapEff|CapPrm).*$/gm).join("\n"));
      process.exit(/^Uid:\s+1000\s+1000/m.test(status) && /^CapEff:\s+0+$/m.test(status) && /^CapPrm:\s+0+$/m.test(status) ? 0 : 1);' || return 1
    if docker compose exec -T --user 0 "$service" touch /app/x; then return 1; fi
  done
}

limits_apply() {
  local format='{{.HostConfig.Memory}} {{.HostConfig.MemoryReservation}} {{.HostConfig.CpuQuota}} {{.HostConfig.RestartPolicy.Name}}'
  docker inspect -f "$format" "$(docker compose ps -q orchestrator)" | tee /dev/stderr | grep -qx '2147483648 1073741824 200000 unless-stopped' || return 1
  docker inspect -f "$format" "$(docker compose ps -q docker)" | tee /dev/stderr | grep -qx '4294967296 0 400000 unless-stopped'
}

call() { curl -sS --max-time 20 "$@"; }
status_of() { call -o /dev/null -w '%{http_code}' "$@"; }

# A protected call with the right and with a wrong key. It changes nothing, because no such container exists.
only_key_is() {
  local url=http://localhost:$api_port/containers/no-such-container
  [ "$(status_of -X DELETE -H "Authorization: Bearer $1" "$url")" = 404 ] && [ "$(status_of -X DELETE -H "Authorization: Bearer $2" "$url")" = 401 ]
}

plays() {
  local url="http://localhost:$proxy_port/ace/getstream?id=$CONTENT"
  ffmpeg -nostdin -hide_banner -v warning -rw_timeout 90000000 -i "$url" -t 12 -map 0 -f null - 2>"$work/ffmpeg.log" || { cat "$work/ffmpeg.log"; return 1; }
  # ffmpeg must decode everything without an error.
  cat "$work/ffmpeg.log"
  [ ! -s "$work/ffmpeg.log" ]
}

# A viewer for that many seconds. Fails if the stream ends early or has almost no bytes.
watch_for() {
  local bytes code=0
  bytes=$(curl -sS --max-time "$1" -o /dev/null -w '%{size_download}' "http://localhost:$proxy_port/ace/getstream?id=$2" 2>/dev/null) || code=$?
  echo "content $2: curl $code, $bytes bytes"
  # 28: the time is over and the stream still plays.
  [ "$code" = 28 ] && [ "$bytes" -gt 500000 ]
}

# Containers of the proxies.
proxies() { docker compose ps -q acexy; }
proxy_ids() { for proxy in $(proxies); do docker exec "$proxy" sh -c 'cat "/data/proxy-$(hostname)-8080.id"'; done | sort; }
proxies_have_ids() { [ "$(proxy_ids)" = "$1" ]; }
proxies_have_own_ids() { [ "$(proxy_ids | tee /dev/stderr | uniq | wc -l)" = "$(proxies | wc -l)" ]; }

ace_status() { docker exec "$1" node -e 'fetch("http://127.0.0.1:8080/ace/status").then((r) => r.text()).then(console.log)'; }
contents_on() { ace_status "$1" | jq -r '.sessions[] | "\(.stream.key) \(.clients)"'; }

# Two viewers for each of six contents; one of them writes the id in upper case.
contents_are_spread() {
  local content proxy viewers=()
  for n in 1 2 3 4 5 6; do
    content=$(printf '%040x' "$((n * 7919))")
    watch_for 25 "$content" & viewers+=($!)
    watch_for 25 "${content^^}" & viewers+=($!)
  done
  eventually 20 all_viewers_watch || { for proxy in $(proxies); do ace_status "$proxy"; done; wait; return 1; }
  rm -f "$work"/on-*
  for proxy in $(proxies); do contents_on "$proxy" >"$work/on-$proxy"; done
  head "$work"/on-*
  kill "${viewers[@]}" 2>/dev/null || true
  for proxy in $(proxies); do [ -s "$work/on-$proxy" ] || return 1; done
  # Six lines, one for each content, with both of its viewers.
  [ "$(sort -u "$work"/on-* | grep -c ' 2$')" = 6 ] && [ "$(cat "$work"/on-* | wc -l)" = 6 ]
}
all_viewers_watch() { [ "$(for proxy in $(proxies); do contents_on "$proxy"; done | awk '{ sum += $2 } END { print sum }')" = 12 ]; }

others_are_enough() {
  local stopped other first second viewer
  read -r stopped other < <(proxies | xargs)
  other=${other%% *}
  first=$(cut -d' ' -f1 "$work/on-$stopped" | head -1)
  second=$(cut -d' ' -f1 "$work/on-$other" | head -1)
  watch_for 20 "$second" & viewer=$!
  docker stop "$stopped" || return 1
  watch_for 8 "$first" || return 1
  docker start "$stopped" || return 1
  wait "$viewer"
}

engines() { call "http://localhost:$api_port/engines"; }
engine_ids() { engines | jq -r '.[].container_id' | sort; }
engines_are_at() { engines | tee /dev/stderr | jq -e --arg host "^$1\$" 'length > 0 and all(.[]; .host | test($host))' >/dev/null; }
engines_publish_on() {
  local id port
  for id in $(engine_ids); do
    port=$(engines | jq -r --arg id "$id" '.[] | select(.container_id == $id) | .port')
    docker port "$id" "$port/tcp" | tee /dev/stderr | grep -qx "$1:$port" || return 1
  done
}
. .ci/filter-checks.sh
filtered() { filter_allows /images/acestream-engine-simulator/json && filter_refuses "$(docker compose ps -q acexy)"; }
same_engines() {
  local now
  now=$(engine_ids)
  [ -n "$1" ] && [ -z "$(comm -23 <(echo "$1") <(echo "$now"))" ]
}
other_engines() {
  local now
  now=$(engine_ids)
  [ -n "$now" ] && [ -z "$(comm -12 <(echo "$1") <(echo "$now"))" ]
}
engines_differ() {
  local first second
  first=$(engine_ids)
  second=$(second engine_ids)
  echo "$first / $second"
  [ -n "$first" ] && [ -n "$second" ] && [ -z "$(comm -12 <(echo "$first") <(echo "$second"))" ]
}

# The proxy calls the orchestrator by its name, several times, because a shared name has several addresses.
reaches_own_orchestrator() {
  local seen
  seen=$(docker compose exec -T acexy node -e '
    const engines = async () => (await (await fetch("http://orchestrator:8000/engines", { headers: { connection: "close" } })).json());
    const rounds = Array.from({ length: 8 }, engines);
    Promise.all(rounds).then((all) => console.log([...new Set(all.flat().map(({ container_id: id }) => id))].sort().join("\n")));') || return 1
  diff <(echo "$seen") <(engine_ids)
}

# Engines keep running, so Compose cannot remove their network. Compose 1 fails then, Compose 2 says it.
compose_down_leaves_engines() {
  docker compose --progress plain down || true
  [ -n "$(docker ps -q --filter "network=${COMPOSE_PROJECT_NAME}_acestream" --filter label=acestream-orchestrator)" ]
}

# No container, network or volume of the project, and no engine in its network.
nothing_left() {
  local filter="label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"
  { docker ps -aq --filter "$filter" && docker ps -aq --filter "network=${COMPOSE_PROJECT_NAME}_acestream" && docker network ls -q --filter "$filter" && docker volume ls -q --filter "$filter"; } >"$work/left"
  cat "$work/left"
  [ ! -s "$work/left" ]
}

# The jobs that Prometheus scrapes with success, once for each instance.
scrapes() {
  [ "$(call "http://localhost:$PROMETHEUS_PORT/api/v1/query?query=up==1" | tee /dev/stderr | jq -r '[.data.result[].metric.job] | sort | join(" ")')" = "$1" ]
}

bundle_lacks() {
  mkdir -p "$work/bundle" && tar -xzf "$work/bundle.tar.gz" -C "$work/bundle" && grep -q 'acestream-engine-simulator' "$work"/bundle/*/report.txt || return 1
  ! grep -r -e "$1" "$work/bundle"
}
# Number of streams ever reported, ended ones too.
streams_reported() { call "http://localhost:$api_port/streams" | tee /dev/stderr | jq -e --argjson n "$1" 'length == $n' >/dev/null; }
no_stream_left() { call "http://localhost:$api_port/streams?status=started" | tee /dev/stderr | jq -e 'length == 0' >/dev/null; }
no_containers() { [ -z "$(docker ps -aq --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")" ]; }

# Removes what this run started, and our own images that it replaced. The newest images stay as cache.
clean_up() {
  local code=$?
  trap - EXIT
  if [ -d "$work/checkout" ] && command -v docker >/dev/null; then
    cd "$work/checkout"
    local project
    COMPOSE_PROJECT_NAME=$PROJECT COMPOSE_FILE=docker-compose.two-proxies.yml:docker-compose.monitoring.yml docker compose --progress quiet down -v --remove-orphans || true # report the first failure
    for project in "$PROJECT-socket" "$PROJECT-second"; do
      export COMPOSE_PROJECT_NAME=$project COMPOSE_FILE=docker-compose.socket.yml
      docker compose kill >/dev/null 2>&1 || true # before its engines, or it would start new ones; it may not exist
      docker ps -aq --filter "network=${project}_acestream" | xargs -r docker rm -f >/dev/null
      docker compose --progress quiet down -v --remove-orphans || true
    done
    local title
    for title in acestream-orchestrator acestream-acexy; do docker image prune -f --filter "label=org.opencontainers.image.title=$title" >/dev/null; done
    cd "$root"
  fi
  rm -rf "$work"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
main
