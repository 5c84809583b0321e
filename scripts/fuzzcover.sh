#!/usr/bin/env bash
# For "go test -fuzz -toolexec": counts coverage in our packages and in the parsers they use, and nowhere else. The fuzzer clears and compares
# every counter for each input, so counting in a database driver or the TLS stack makes a target several times slower and guides nothing.
set -euo pipefail
tool=$1
shift
if [ "$(basename "$tool" .exe)" = compile ]; then
  if [ "${1:-}" = -V=full ]; then
    echo "$("$tool" -V=full) fuzzcover" # its own entries in the build cache
    exit
  fi
  case "${TOOLEXEC_IMPORTPATH:-}" in
  blossomtune/internal/store* | blossomtune/internal/testpg* | blossomtune/internal/testflwr*) counted=no ;;
  blossomtune/* | encoding/json* | encoding/csv | encoding/pem | archive/zip | net/mail | github.com/BurntSushi/* | github.com/pelletier/*) counted=yes ;;
  *) counted=no ;;
  esac
  if [ $counted = no ]; then
    kept=()
    for arg in "$@"; do
      [ "$arg" = -d=libfuzzer ] || kept+=("$arg")
    done
    set -- "${kept[@]}"
  fi
fi
exec "$tool" "$@"
