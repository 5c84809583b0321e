#!/usr/bin/env bash
# Lint, and all tests of packages that start no real engine: what to run before each commit.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/lint.sh
# A package whose tests import testflwr starts Flower's own programs.
mapfile -t packages < <(go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... | grep -v '/testflwr\b' | cut -d' ' -f1)
go test -p 2 "${packages[@]}"
