#!/bin/sh
# Stands between the orchestrator and one engine, so that the engine may outlive a restart of the orchestrator but not its loss.
#
#   engine-guard.sh FOLDER HEARTBEAT SECONDS READINGS COMMAND [ARGUMENT...]
#
# Run as the leader of a process group of its own. It writes into FOLDER `guard` and `engine` (a pid and when that process started)
# while the engine runs, and `exit` (its exit code) afterwards. Where HEARTBEAT has the same content for READINGS readings, SECONDS
# apart, the group is ended: readings are counted and no clock is compared, so that a suspended machine counts for nothing.
# A shell, because it costs 0.3 MB of its own memory (measured with dash) where another Node would cost 40.

folder=$1 heartbeat=$2 seconds=$3 readings=$4
shift 4

# When the process started, as process-identity.ts says it.
started() {
  if [ -r "/proc/$1/stat" ]; then
    read -r stat < "/proc/$1/stat" && read -r boot < /proc/sys/kernel/random/boot_id || return 1
    # What follows the name in parentheses begins with the third field; the start is the 22nd.
    set -- ${stat##*) }
    shift 19
    echo "$boot:$1"
  else
    echo $(LC_ALL=C TZ=UTC ps -o lstart= -p "$1")
  fi
}

# Whole or not at all; fails where the folder has been taken away.
put() {
  echo "$2" > "$folder/$1.new" && mv "$folder/$1.new" "$folder/$1"
}

end_when_lost() {
  trap '' TERM HUP INT
  unchanged=0 last=
  while [ "$unchanged" -lt "$readings" ]; do
    sleep "$seconds"
    beat=
    read -r beat < "$heartbeat"
    if [ "$beat" = "$last" ]; then
      unchanged=$((unchanged + 1))
    else
      unchanged=0 last=$beat
    fi
  done
  echo 'the orchestrator is gone: ending' >&2
  kill -TERM 0
  sleep 5
  kill -KILL 0
}

# A signal to the group is for the engine; the guard stays to see how it ends.
trap : TERM HUP INT

# Before the engine, so that no engine ever runs that nobody can find.
put guard "$$ $(started $$)" || exit 1

"$@" < /dev/null &
engine=$!
put engine "$engine $(started "$engine")"
end_when_lost > /dev/null 2>> "$folder/engine.log" &

# `wait` also returns when a signal comes.
while wait "$engine"; code=$?; kill -0 "$engine" 2> /dev/null; do :; done

put exit "$code"
rm -f "$folder/guard" "$folder/engine"
# Whatever the engine has started ends with it, and so does this.
kill -KILL 0
