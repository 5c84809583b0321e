#!/usr/bin/env bash
# Every fuzz target, one after another, and how many inputs each one ran: scripts/fuzz.sh 1000000x (or 60s), scripts/fuzz.sh 60s FuzzFAB.
# An input that fails is kept under testdata/fuzz of its package: commit it with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."
time="${1:-60s}" only="${2:-}" failed=()
while IFS=: read -r file line; do
  name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line") package=./$(dirname "$file")
  [ -z "$only" ] || [ "$only" = "$name" ] || continue
  began=$SECONDS status=ok
  out=$(go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 20x -parallel "${FUZZPARALLEL:-1}" -toolexec "$PWD/scripts/fuzzcover.sh" "$package" 2>&1) || status=FAILED
  runs=$(grep -oE 'execs: [0-9]+' <<<"$out" | tail -n 1 || true)
  printf '%-22s %-32s %s, %d s: %s\n' "$name" "$package" "${runs:-execs: 0}" $((SECONDS - began)) "$status"
  if [ "$status" != ok ]; then
    failed+=("$name")
    grep -vE '^fuzz: (elapsed|minimizing)' <<<"$out" >&2
  fi
done < <(grep -rE --include='*_test.go' '^func Fuzz' internal e2e cmd | sort)
[ ${#failed[@]} -eq 0 ] || { echo "These fuzz targets failed: ${failed[*]}" >&2; exit 1; }
