#!/bin/sh
# The engine under every name that real images use. It ignores words before the first option (`main.py`).
exec node /opt/engine-simulator/dist/main.js "$@"
