#!/bin/sh
# Nothing, or options only: the engine. Anything else is a command, as the real images are started: `python main.py --http-port …`.
case "${1-}" in
  '' | -* | @*) set -- acestreamengine "$@" ;;
esac
exec "$@"
