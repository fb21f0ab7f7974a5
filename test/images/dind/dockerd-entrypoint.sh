#!/bin/sh
# A daemon that was killed leaves its pid files behind; the next one in this container would take them for a running daemon.
find /run /var/run -name 'docker*.pid' -delete
find /run /var/run -name 'containerd*.pid' -delete
exec "$@"
