#!/bin/sh
# Runs one engine. The engine survives a restart of the orchestrator, but ends when the orchestrator does not come back.
#
#   engine-guard.sh FOLDER HEARTBEAT SECONDS READINGS COMMAND [ARGUMENT...]
#
# Start it as the leader of its own process group. While the engine runs, FOLDER holds `guard` and `engine` (pid and start time of each
# process), afterwards `exit` (the exit code). When HEARTBEAT has not changed for READINGS readings, SECONDS apart, the guard ends the
# group. It counts readings and compares no clock, so that time during which the machine is suspended does not count.
# A shell script, because it needs 0.3 MB of memory (measured with dash); a Node process needs 40 MB.

folder=$1 heartbeat=$2 seconds=$3 readings=$4
shift 4

# Start time of a process, in the format of process-identity.ts.
started() {
  if [ -r "/proc/$1/stat" ]; then
    read -r stat < "/proc/$1/stat" && read -r boot < /proc/sys/kernel/random/boot_id || return 1
    # After the name in parentheses comes the third field; the start time is the 22nd.
    set -- ${stat##*) }
    shift 19
    echo "$boot:$1"
  else
    echo $(LC_ALL=C TZ=UTC ps -o lstart= -p "$1")
  fi
}

# Writes atomically; fails when the folder was deleted.
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
  echo 'heartbeat stopped, ending the engine' >&2
  kill -TERM 0
  sleep 5
  kill -KILL 0
}

# A signal to the group is meant for the engine; the guard waits for the exit code.
trap : TERM HUP INT

# Before the engine starts, so that every running engine can be found.
put guard "$$ $(started $$)" || exit 1

"$@" < /dev/null &
engine=$!
put engine "$engine $(started "$engine")"
end_when_lost > /dev/null 2>> "$folder/engine.log" &

# `wait` also returns on a signal.
while wait "$engine"; code=$?; kill -0 "$engine" 2> /dev/null; do :; done

put exit "$code"
rm -f "$folder/guard" "$folder/engine"
# Ends the child processes of the engine, and this guard.
kill -KILL 0
