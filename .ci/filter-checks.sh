# Checks of the filter in front of Docker, called as the orchestrator would call it; source this file. Needs the compose project of the current folder.

readonly FILTER=http://docker-proxy:2375

# The reply to METHOD PATH [BODY]: its status, a blank, its body.
docker_reply() {
  docker compose exec -T orchestrator node -e '
    const [url, method, body] = process.argv.slice(1);
    fetch(url, { method, body: body || undefined }).then(async (reply) => console.log(reply.status, await reply.text()));' "$FILTER$2" "$1" "${3-}" </dev/null
}
docker_body() { docker_reply GET "$1" | cut -d' ' -f2-; }

# filter_allows PATH…: the calls of the orchestrator and of the doctor, with and without a version.
filter_allows() {
  local path
  for path in /_ping /version /info /v1.41/info /containers/json /v1.41/containers/json "$@"; do
    docker_reply GET "$path" | grep -q '^200 ' || { echo "rejected: GET $path" && return 1; }
  done
}

# filter_refuses CONTAINER: everything else, above all with a container of this host that is not an engine.
filter_refuses() {
  local call body foreign=$1
  for call in 'GET /networks' 'GET /networks/bridge' 'GET /volumes' 'GET /secrets' 'GET /images/json' 'POST /build' 'POST /volumes/create' \
    "GET /containers/$foreign/logs" "GET /containers/$foreign/stats" "GET /containers/$foreign/archive" "PUT /containers/$foreign/archive" \
    "POST /containers/$foreign/exec" "POST /containers/$foreign/kill" "POST /containers/$foreign/stop" "POST /containers/$foreign/restart" \
    "POST /containers/$foreign/start" "DELETE /containers/$foreign" 'POST /containers/prune' 'GET /containers/x/../../info/json' 'POST /v1.12/containers/x/start'; do
    # shellcheck disable=SC2086
    docker_reply $call | grep -q '^403 ' || { echo "allowed: $call" && return 1; }
  done
  for body in '{}' '{"Image":"evil"}' "$(create_with '{"Binds":["/:/host"]}')" "$(create_with '{"Privileged":true}')" "$(create_with '{"NetworkMode":"host"}')" \
    "$(create_with '{"PidMode":"host"}')"; do
    docker_reply POST /containers/create "$body" | tee /dev/stderr | grep -q '^403 ' || { echo "created: $body" && return 1; }
  done
  docker inspect -f '{{.State.Running}}' "$foreign" | grep -qx true
}

# The body of a create as the orchestrator sends it, with a HostConfig of its own.
create_with() {
  local labels image
  labels=$(docker inspect -f '{{json .Config.Labels}}' "$(engines | jq -r '.[0].container_id')")
  image=$(docker inspect -f '{{.Config.Image}}' "$(engines | jq -r '.[0].container_id')")
  jq -nc --argjson labels "$labels" --arg image "$image" --argjson host "$1" '{ Image: $image, Labels: $labels, HostConfig: $host }'
}

filter_is_restricted() {
  docker compose exec -T docker-proxy grep -E '^(Uid|CapEff|CapPrm):' /proc/1/status | tr -s '[:space:]' ' ' | tee /dev/stderr \
    | grep -q 'Uid: 1000 1000 1000 1000 CapPrm: 0000000000000000 CapEff: 0000000000000000' || return 1
  docker inspect -f '{{.HostConfig.CapDrop}} {{.HostConfig.ReadonlyRootfs}}' "$(docker compose ps -q docker-proxy)" | tee /dev/stderr | grep -qx '\[ALL\] true'
}
