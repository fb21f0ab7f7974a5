# Shared functions of the stack tests; source this file. Needs the folder $work, and counts failed checks in $failures.

# step NAME command…: must succeed, or the test ends; prints the output only on failure. As in `check`, bash does not stop a function at its first
# failing command here, so functions with several commands need `|| return 1`.
step() {
  local name=$1 log=$work/step.log started=$SECONDS
  shift
  if "$@" >"$log" 2>&1; then
    echo "done ($((SECONDS - started)) s): $name"
  else
    echo "FAILED: $name" >&2
    tail -60 "$log" >&2
    docker compose logs --tail 60 >&2 2>/dev/null || true # the stack may not exist yet
    exit 1
  fi
}

# check NAME command…: passes if the command succeeds.
check() {
  local name=$1 log=$work/check.log
  shift
  if "$@" >"$log" 2>&1; then
    echo "  passed: $name"
  else
    echo "  FAILED: $name" >&2
    sed 's/^/    /' "$log" | tail -20 >&2
    failures=$((failures + 1))
  fi
}

# eventually SECONDS command…: repeats the command until it succeeds or the time is over.
eventually() {
  local limit=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $limit ] || return 1
    sleep 1
  done
}

# Two free TCP ports.
free_ports() {
  node -e '
    const { createServer } = require("node:net");
    const servers = [0, 0].map(() => createServer().listen(0));
    Promise.all(servers.map((server) => new Promise((resolve) => server.once("listening", resolve)))).then(() => {
      console.log(servers.map((server) => server.address().port).join(" "));
      servers.forEach((server) => server.close());
    });'
}

# The doctor in the container of the orchestrator must find nothing wrong and nothing to warn of.
doctor_is_content() { docker compose exec -T orchestrator doctor "$@" </dev/null | tee /dev/stderr | grep -q 'Nothing is wrong'; }
