# What the checks of whole stacks share; to be sourced. Wants $work, a folder, and counts what is broken in $failures.

# step NAME command…: what has to work for anything else to make sense; its output only where it fails. As in `check`, bash does not end a function at its
# first failing command there, so those of several commands say `|| return 1` themselves.
step() {
  local name=$1 log=$work/step.log began=$SECONDS
  shift
  if "$@" >"$log" 2>&1; then
    echo "done ($((SECONDS - began)) s): $name"
  else
    echo "FAILED: $name" >&2
    tail -60 "$log" >&2
    docker compose logs --tail 60 >&2 2>/dev/null || true # there may be no stack yet
    exit 1
  fi
}

# check NAME command…: a promise, kept where the command ends well.
check() {
  local name=$1 log=$work/check.log
  shift
  if "$@" >"$log" 2>&1; then
    echo "  kept: $name"
  else
    echo "  BROKEN: $name" >&2
    sed 's/^/    /' "$log" | tail -20 >&2
    failures=$((failures + 1))
  fi
}

# eventually SECONDS command…: until it ends well, or the time is over.
eventually() {
  local limit=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $limit ] || return 1
    sleep 1
  done
}
