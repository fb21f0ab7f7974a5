#!/bin/sh
# Installed under every engine name of the real images. Arguments before the first option, such as `main.py`, are ignored.
exec node /opt/engine-simulator/dist/main.js "$@"
