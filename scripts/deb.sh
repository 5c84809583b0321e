#!/usr/bin/env bash
# Makes a Debian package of a server program and, if given, of the folder that it hands out to participants. The same input gives the
# same bytes: times are the commit's. Usage: deb.sh PROGRAM ARCH VERSION OUTPUT.deb [DOWNLOADS]
set -euo pipefail
program=$(realpath "$1") arch=$2 version=$3 out=$(realpath -m "$4") downloads=${5:+$(realpath "$5")}
cd "$(dirname "$0")/.."
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
umask 022
chmod 755 "$root"

install -D -m 755 "$program" "$root/usr/lib/blossomtune/blossomtune"
install -d "$root/usr/bin" "$root/DEBIAN"
ln -s ../lib/blossomtune/blossomtune "$root/usr/bin/blossomtune" # the program finds downloads beside itself
if [ -n "$downloads" ]; then
  install -D -m 644 -t "$root/usr/lib/blossomtune/downloads" "$downloads"/*
fi
install -D -m 644 deploy/deb/blossomtune.toml "$root/etc/blossomtune/blossomtune.toml"
install -D -m 644 deploy/deb/blossomtune.service "$root/usr/lib/systemd/system/blossomtune.service"
install -D -m 644 LICENSE "$root/usr/share/doc/blossomtune/copyright"
install -m 644 docs/*.md "$root/usr/share/doc/blossomtune/"

# A Debian version sorts a pre-release with a tilde. A commit without a tag has the time of the commit in its version.
deb=${version/-/\~} deb=${deb//-/.}
size=$(du -k -s --apparent-size "$root" | cut -f1)
sed -e "s/@VERSION@/${deb:-0}/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" deploy/deb/control.in >"$root/DEBIAN/control"
install -m 644 deploy/deb/conffiles "$root/DEBIAN/"
install -m 755 deploy/deb/postinst deploy/deb/prerm deploy/deb/postrm "$root/DEBIAN/"
(cd "$root" && find etc usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
mkdir -p "$(dirname "$out")"
dpkg-deb -Zgzip --root-owner-group --build "$root" "$out" >/dev/null
