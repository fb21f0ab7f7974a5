#!/bin/sh
# Runs one engine. The engine survives a restart of the orchestrator, and while it has players it survives its end, as a container does. It ends
# when the orchestrator does not come back and no player is left.
#
#   engine-guard.sh FOLDER HEARTBEAT SECONDS READINGS HTTP_PORT COMMAND [ARGUMENT...]
#
# Start it as the leader of its own process group. While the engine runs, FOLDER holds `guard` and `engine` (pid and start time of each
# process), afterwards `exit` (the exit code). When in READINGS readings, SECONDS apart, HEARTBEAT has not changed and nothing has used
# HTTP_PORT, the guard ends the group. It counts readings and compares no clock, so that time during which the machine is suspended does not
# count.
# A shell script, because it needs 0.3 MB of memory (measured with dash); a Node process needs 40 MB.

folder=$1 heartbeat=$2 seconds=$3 readings=$4 port=$5
shift 5

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

# Whether a player has a connection to HTTP_PORT, or had one in the last minute (the system remembers a connection that the engine has
# closed): players of HLS open one for each segment. An engine whose folder was deleted has no orchestrator to come back to.
in_use() {
  [ -d "$folder" ] || return 1
  if [ -r /proc/net/tcp ]; then
    # `local remote state`, in hexadecimal; 01 is established, 06 is TIME_WAIT.
    cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | grep -q "$(printf ':%04X [0-9A-F]*:[0-9A-F]* 0[16] ' "$port")"
  else
    netstat -an -p tcp | grep -Eq "[.:]$port +[^ ]+ +(ESTABLISHED|TIME_WAIT)"
  fi
}

end_when_lost() {
  trap '' TERM HUP INT
  unused=0 last=
  while [ "$unused" -lt "$readings" ]; do
    sleep "$seconds"
    beat=
    read -r beat < "$heartbeat"
    if [ "$beat" != "$last" ] || in_use; then
      unused=0 last=$beat
    else
      unused=$((unused + 1))
    fi
  done
  echo 'heartbeat stopped and no player left, ending the engine' >> "$folder/engine.log"
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
# Not with the log as its output: a folder that was deleted just now, or a full disk, would prevent its start.
end_when_lost > /dev/null 2>&1 &

# `wait` also returns on a signal.
while wait "$engine"; code=$?; kill -0 "$engine" 2> /dev/null; do :; done

put exit "$code"
rm -f "$folder/guard" "$folder/engine"
# Ends the child processes of the engine, and this guard.
kill -KILL 0
