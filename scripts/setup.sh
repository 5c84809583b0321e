#!/usr/bin/env bash
# Installs the programs of Debian or Ubuntu that the tests need, where this user may; otherwise names the one command that does.
set -euo pipefail

packages=() # of what is missing
have() { command -v "$1" >/dev/null; }
if have dpkg; then # what the Debian package depends on
  have adduser || packages+=(adduser)
  dpkg -s python3-venv >/dev/null 2>&1 || packages+=(python3-venv)
fi
have chromium || packages+=(chromium)
have curl || packages+=(curl)
have git || packages+=(git)
have ip || packages+=(iproute2)
have npm || packages+=(nodejs npm)
have python3 && python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
have ssh-keygen || packages+=(openssh-client)
have systemd-analyze || packages+=(systemd)
have unshare || packages+=(util-linux)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages+=(postgresql)

if [ ${#packages[@]} -gt 0 ]; then
  as=()
  [ "$(id -u)" = 0 ] || as=(sudo -n)
  install="apt-get update -q && apt-get install -y -q --no-install-recommends ${packages[*]}"
  if ! have apt-get || ! "${as[@]}" true 2>/dev/null; then
    echo "The tests need programs that are not installed. On Debian or Ubuntu, install them with:" >&2
    echo "  sudo sh -c '$install'" >&2
    exit 1
  fi
  "${as[@]}" env DEBIAN_FRONTEND=noninteractive sh -c "$install"
fi

older() { [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" != "$2" ]; }
python=$(python3 -c 'import platform; print(platform.python_version())')
node=$(node --version | tr -d v)
if older "$python" 3.11; then echo "The tests need Python 3.11 or newer; this is $python." >&2; exit 1; fi
if older "$node" 20.19; then echo "The tests need Node 20.19 or newer; this is $node." >&2; exit 1; fi
