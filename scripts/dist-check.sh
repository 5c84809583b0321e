#!/usr/bin/env bash
# Builds the release twice, the second time in another directory and with an empty build cache, and compares every file.
# PLATFORMS and SERVERS limit what is built, as in dist.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -z "$(git status --porcelain)" ] || { echo "commit first: the second build is made of the commit" >&2; exit 1; }
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
scripts/dist.sh "$work/first" >"$work/first.log"
git clone -q --no-hardlinks . "$work/elsewhere"
cp -r internal/web/assets/dist/. "$work/elsewhere/internal/web/assets/dist/"
GOCACHE="$work/cache" "$work/elsewhere/scripts/dist.sh" "$work/second" >"$work/second.log"
diff "$work/first/SHA256SUMS" "$work/second/SHA256SUMS"
echo "The same bytes twice:"
cat "$work/first/SHA256SUMS"
