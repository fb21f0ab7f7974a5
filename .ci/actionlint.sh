#!/usr/bin/env bash
# Checks .github/workflows with actionlint: uses an installed one, else builds it from its Go module, once for all checkouts.
# If that is not possible, prints why and exits with 69.
set -uo pipefail
cd "$(dirname "$0")/.."
readonly UNAVAILABLE=69 VERSION=v1.7.12
cache=${ACESTREAM_CI_CACHE:-$HOME/.cache/acestream-orchestrator-ci}
actionlint=$(command -v actionlint || echo "$cache/actionlint")
if [ ! -x "$actionlint" ]; then
  command -v go >/dev/null || { echo 'no actionlint: it is not installed, and Go is missing to build it' >&2; exit $UNAVAILABLE; }
  mkdir -p "$cache"
  GOBIN=$cache go install "github.com/rhysd/actionlint/cmd/actionlint@$VERSION" >"$cache/actionlint.log" 2>&1 \
    || { tail -3 "$cache/actionlint.log" >&2; echo 'no actionlint: building it failed' >&2; exit $UNAVAILABLE; }
fi
"$actionlint"
