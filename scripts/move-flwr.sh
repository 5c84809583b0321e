#!/usr/bin/env bash
# Moves the pin of flwr to another release, everywhere: scripts/move-flwr.sh 1.42.0. The two locks keep what still fits.
set -euo pipefail
cd "$(dirname "$0")/.."

to="${1:-}"
[[ "$to" =~ ^([0-9]+)\.([0-9]+)\.[0-9]+$ ]] || { echo "usage: scripts/move-flwr.sh X.Y.Z" >&2; exit 2; }
range="flwr>=${BASH_REMATCH[1]}.${BASH_REMATCH[2]},<${BASH_REMATCH[1]}.$((BASH_REMATCH[2] + 1))"
command -v uv >/dev/null || { echo "scripts/move-flwr.sh needs uv (pip install uv; flwr brings one)" >&2; exit 1; }

compile() { uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 "$@"; }

lock=internal/flower/python/requirements.txt
printf 'flwr==%s\n' "$to" | compile -o "$lock" - >/dev/null
sed -i "s/^flwr==.*/flwr==$to/" scripts/requirements-dev.txt
git grep -lE '"flwr>=[0-9.]+,<[0-9.]+"' -- '*/pyproject.toml' e2e/causes_test.go | xargs sed -Ei "s/\"flwr>=[0-9.]+,<[0-9.]+\"/\"$range\"/"

cd apps/quickstart_huggingface
head -3 requirements.txt >head.tmp
compile --no-emit-package triton -c "../../$lock" -o requirements.txt pyproject.toml >/dev/null
cat head.tmp requirements.txt >whole.tmp
mv whole.tmp requirements.txt
rm head.tmp
echo "Next: make test. The contract tests in internal/flower/wire name what a newer flwr changed; git grep names comments that mean the older one."
