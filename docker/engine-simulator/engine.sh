#!/bin/sh
# One engine under every name the real images give theirs; words before the first option (`main.py`) mean nothing to it.
exec node /opt/engine-simulator/dist/main.js "$@"
