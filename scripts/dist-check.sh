#!/usr/bin/env bash
# Builds the release twice, the second time from a clone in another directory, with its own assets and an empty build cache, and compares
# every file.
# PLATFORMS and SERVERS limit what is built, as in dist.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -z "$(git status --porcelain)" ] || { echo "commit first: the second build is made of the commit" >&2; exit 1; }
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
scripts/dist.sh "$work/first" >"$work/first.log"
cmp <(cut -c67- "$work/first/SHA256SUMS") <(cd "$work/first" && find . -type f ! -path ./SHA256SUMS | LC_ALL=C sort | sed 's,^\./,,')
git clone -q --no-hardlinks . "$work/elsewhere"
make -s -C "$work/elsewhere" assets
GOCACHE="$work/cache" "$work/elsewhere/scripts/dist.sh" "$work/second" >"$work/second.log"
diff "$work/first/SHA256SUMS" "$work/second/SHA256SUMS"
echo "The same bytes twice:"
cat "$work/first/SHA256SUMS"
