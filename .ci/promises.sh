# What the checks of whole stacks share; to be sourced. Wants $work, a folder, and counts what is broken in $failures.

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
