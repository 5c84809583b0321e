#!/usr/bin/env bash
# Every test. A part that cannot run is a failure with the name of what is missing, never a skip.
set -euo pipefail
cd "$(dirname "$0")/.."

need() { command -v "$1" >/dev/null || { echo "make test needs $1 ($2)" >&2; exit 1; }; }
need python3 "Python 3.11 or newer"
need node "Node 20 or newer"
need chromium "Debian: apt-get install chromium"
need git "Debian: apt-get install git"
need curl "Debian: apt-get install curl"
need ssh-keygen "Debian: apt-get install openssh-client"
need unshare "Debian: apt-get install util-linux"
need systemd-analyze "Debian: apt-get install systemd"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { echo "make test needs PostgreSQL (Debian: apt-get install postgresql)" >&2; exit 1; }

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
go test -p 2 -timeout 60m ./...
