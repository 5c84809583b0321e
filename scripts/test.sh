#!/usr/bin/env bash
# Every test; make test calls it. A part that cannot run is a failure with the name of what is missing, never a skip.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== Python apps"
tools="${XDG_CACHE_HOME:-$HOME/.cache}/blossomtune-test/pytools-$(sha256sum scripts/requirements-dev.txt | cut -c1-12)"
if ! [ -e "$tools/.ready" ]; then
  rm -rf "$(dirname "$tools")"/pytools*
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet -r scripts/requirements-dev.txt
  touch "$tools/.ready"
fi
"$tools/bin/ruff" check apps e2e internal
"$tools/bin/ruff" format --check apps e2e internal
(cd apps/quickstart_digits && "$tools/bin/python" -m pytest -q -p no:cacheprovider)

# torch and what it needs are 5 GB: made once per lock, as links into uv's cache, which the end-to-end test uses too.
hf="$(dirname "$tools")/huggingface-$(sha256sum apps/quickstart_huggingface/requirements.txt | cut -c1-12)"
if ! [ -e "$hf/.ready" ]; then
  rm -rf "$(dirname "$tools")"/huggingface-*
  "$tools/bin/uv" venv --quiet --no-project --python "$tools/bin/python" "$hf"
  "$tools/bin/uv" pip install --quiet --python "$hf/bin/python" --no-deps --require-hashes -r apps/quickstart_huggingface/requirements.txt ||
    { echo "make test needs torch and transformers from the package index, for apps/quickstart_huggingface" >&2; exit 1; }
  "$tools/bin/uv" pip install --quiet --python "$hf/bin/python" -c scripts/requirements-dev.txt pytest
  touch "$hf/.ready"
fi
(cd apps/quickstart_huggingface && "$hf/bin/python" -m pytest -q -p no:cacheprovider)

echo "== Go"
# Two packages at a time at most: the tests with a real engine need the cores.
results=$(mktemp)
trap 'rm -f "$results"' EXIT
gotestsum() { go tool -modfile=tools/go.mod gotestsum "$@"; }
status=0
gotestsum --format standard-quiet --jsonfile "$results" -- -p 2 -timeout 60m ./... || status=$?

echo "== The ten slowest tests"
gotestsum tool slowest --threshold 1s --num 10 --jsonfile "$results"
exit $status
