#!/usr/bin/env bash
# Builds what is released, into dist/ (or the folder given): the server for each platform, in downloads/ the participant's program that the
# server hands out, a Debian package for each Linux, and in sbom/ what they are made of. Two builds of one commit give the same bytes: no
# paths, no times; the version comes from git. PLATFORMS and SERVERS limit what is built; DEBS=no and SBOM=no leave those out; VERSION
# is for a tree without git. Usage: dist.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-dist}
platforms=${PLATFORMS-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}
servers=${SERVERS-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}
version=${VERSION:-$(scripts/version.sh)}
most=15000000        # bytes of a participant's program
most_server=41943040 # bytes of a server: 40 MiB
cyclonedx=v1.10.0

# Inlining makes these packages 3 MB larger. They are pages, commands and the API; none of them handles the calls of SuperNodes.
small=()
for p in blossomtune/cmd/... blossomtune/internal/{api,agent/...,doctor,demo,onboarding,web/...} github.com/alecthomas/kong \
  github.com/danielgtaylor/huma/... github.com/yuin/goldmark/...; do
  small+=("-gcflags=$p=-l")
done

rm -rf "$out"
mkdir -p "$out/downloads"

build() { # PLATFORM FOLDER TAGS
  local os=${1%/*} arch=${1#*/} ext=
  [ "$os" = windows ] && ext=.exe
  CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -buildvcs=false -tags "$3" -ldflags="-s -w -buildid= -X main.version=$version" \
    "${small[@]}" -o "$2/blossomtune-$os-$arch$ext" ./cmd/blossomtune
}

for p in $platforms; do build "$p" "$out/downloads" participant; done
for p in $servers; do build "$p" "$out" ""; done

find "$out/downloads" -name 'blossomtune-*' -size +${most}c | grep . && { echo "too large: at most $most bytes" >&2; exit 1; }
find "$out" -maxdepth 1 -name 'blossomtune-*' -size +${most_server}c | grep . && { echo "too large: at most $most_server bytes" >&2; exit 1; }
echo "$version" >"$out/downloads/VERSION"
(cd "$out/downloads" && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | sed 's,^\./,,' | xargs sha256sum >SHA256SUMS)

if [ "${DEBS:-yes}" = yes ]; then
  for p in $servers; do
    case $p in linux/*) scripts/deb.sh "$out/blossomtune-${p/\//-}" "${p#*/}" "$version" "$out/blossomtune_${p#*/}.deb" "$out/downloads" ;; esac
  done
fi

if [ "${SBOM:-yes}" = yes ]; then
  mkdir "$out/sbom"
  bin="${XDG_CACHE_HOME:-$HOME/.cache}/blossomtune-test/cyclonedx-gomod-$cyclonedx"
  [ -x "$bin/cyclonedx-gomod" ] || GOBIN="$bin" GOFLAGS= go install "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$cyclonedx"
  for f in "$out"/blossomtune-* "$out"/downloads/blossomtune-*; do
    [ -f "$f" ] || continue
    name=$(basename "$f")
    [ "$(dirname "$f")" = "$out" ] || name=participant-${name#blossomtune-}
    "$bin/cyclonedx-gomod" bin -json -std -noserial -version "$version" "$f" 2>/dev/null | node scripts/sbom.mjs >"$out/sbom/$name.cdx.json"
  done
  (cd internal/web/assets && npm sbom --package-lock-only --sbom-format cyclonedx --omit optional) | node scripts/sbom.mjs >"$out/sbom/assets.cdx.json"
fi

(cd "$out" && find . -type f ! -path ./SHA256SUMS | LC_ALL=C sort | sed 's,^\./,,' | xargs sha256sum >SHA256SUMS)
ls -l "$out/downloads" "$out"
