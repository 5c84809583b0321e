#!/usr/bin/env bash
# Prints the version of this tree, from git: the tag of a release (v1.2.3 gives 1.2.3), else one that sorts by the time of the commit.
# A tree with changes says so. Without git: nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
git rev-parse --git-dir >/dev/null 2>&1 || exit 0
if tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null); then
  version=${tag#v}
else
  version=0.0.0-$(TZ=UTC git log -1 --abbrev=12 --date=format-local:%Y%m%d%H%M%S --format=%cd-%h)
fi
[ -z "$(git status --porcelain --untracked-files=no)" ] || version+=+dirty
echo "$version"
