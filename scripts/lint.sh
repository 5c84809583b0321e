#!/usr/bin/env bash
# golangci-lint with the import rules, eslint and the tests of the scripts, and generated code compared with what is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v2.15.0
bin="${XDG_CACHE_HOME:-$HOME/.cache}/blossomtune-test/golangci-lint-$version"
if ! [ -x "$bin/golangci-lint" ]; then
  GOBIN="$bin" GOFLAGS= go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
fi
"$bin/golangci-lint" run --allow-parallel-runners ./...

# The scripts of the pages.
make --silent internal/web/assets/node_modules/.installed
(cd internal/web/assets && node_modules/.bin/eslint . && node --test --test-reporter=spec)

before=$(git status --porcelain; git diff | sha256sum)
go generate ./...
after=$(git status --porcelain; git diff | sha256sum)
if [ "$before" != "$after" ]; then
  echo "Generated code is not current: run make generate and commit the result." >&2
  git --no-pager diff --stat >&2
  exit 1
fi
