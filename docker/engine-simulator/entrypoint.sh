#!/bin/sh
# Without arguments, or with options only: starts the engine. Anything else is a command, as in the real images: `python main.py --http-port …`.
case "${1-}" in
  '' | -* | @*) set -- acestreamengine "$@" ;;
esac
exec "$@"
