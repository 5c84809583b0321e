#!/usr/bin/env bash
# Builds what is released, into dist/ (or the folder given): the server for each platform, and in downloads/ the participant's program that
# the server hands out. Two builds of one commit give the same bytes: no paths, no times; the version comes from git. PLATFORMS and
# SERVERS limit what is built. Usage: dist.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-dist}
platforms=${PLATFORMS-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}
servers=${SERVERS-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64}
version=$(scripts/version.sh)
most=15000000 # bytes of a participant's program

rm -rf "$out"
mkdir -p "$out/downloads"

build() { # PLATFORM FOLDER TAGS
  local os=${1%/*} arch=${1#*/} ext=
  [ "$os" = windows ] && ext=.exe
  CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -buildvcs=false -tags "$3" -ldflags="-s -w -buildid= -X main.version=$version" \
    -o "$2/blossomtune-$os-$arch$ext" ./cmd/blossomtune
}

for p in $platforms; do build "$p" "$out/downloads" participant; done
for p in $servers; do build "$p" "$out" ""; done

find "$out/downloads" -name 'blossomtune-*' -size +${most}c | grep . && { echo "too large: at most $most bytes" >&2; exit 1; }
echo "$version" >"$out/downloads/VERSION"
(cd "$out/downloads" && LC_ALL=C sha256sum VERSION blossomtune-* >SHA256SUMS)
(cd "$out" && find . -type f ! -path ./SHA256SUMS | LC_ALL=C sort | sed 's,^\./,,' | xargs sha256sum >SHA256SUMS)
ls -l "$out/downloads" "$out"
