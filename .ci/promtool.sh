#!/usr/bin/env bash
# Makes sure that promtool, the checker of Prometheus rules, exists: uses the installed one, else extracts Debian's package without installing the server.
# Prints its folder. If that is not possible, prints why and exits with 69.
set -euo pipefail
readonly UNAVAILABLE=69

if command -v promtool >/dev/null; then dirname "$(command -v promtool)"; exit 0; fi
cache=${ACESTREAM_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/acestream-orchestrator-ci}
if [ ! -x "$cache/promtool/promtool" ]; then
  command -v apt-get >/dev/null || { echo 'no promtool: it is not installed, and apt-get is missing' >&2; exit $UNAVAILABLE; }
  mkdir -p "$cache/promtool"
  folder=$(mktemp -d "$cache/promtool.XXXXXX")
  trap 'rm -rf "$folder"' EXIT
  (cd "$folder" && { apt-get download prometheus || { apt-get update -qq && apt-get download prometheus; }; } && dpkg -x prometheus_*.deb x) >"$folder/log" 2>&1 \
    || { tail -3 "$folder/log" >&2; echo 'no promtool: the package prometheus cannot be downloaded' >&2; exit $UNAVAILABLE; }
  mv "$folder/x/usr/bin/promtool" "$cache/promtool/promtool"
fi
echo "$cache/promtool"
