#!/bin/bash
# Exits with 0 if the service of this container answers: `health-check.sh orchestrator|proxy`. Bash alone, because a check runs every 5 seconds and
# a new Node process costs about 30 times as much processor time.
if [ "$1" = proxy ]; then address=${ACEXY_LISTEN_ADDR:-${ACEXY_ADDR:-8080}}; else address=${APP_PORT:-8000}; fi
port=${address##*:}
exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
printf 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
read -rt 4 _ status _ <&3 || { echo '/health did not answer within 4 s' >&2; exit 1; }
[ "$status" = 200 ] || { echo "/health answered $status" >&2; exit 1; }
