#!/usr/bin/env bash
# Installs the Debian package into a throw-away copy of this system, in which a systemd of its own runs, and removes it again. Checks that the
# service starts within its limits, that apps can still be contained there, that a restart keeps the data, and that purging leaves nothing.
# Needs root and Debian with systemd, which does not have to run. Usage: deploy-check.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-bin/blossomtune}
[ "$(id -u)" = 0 ] || { echo "deploy-check needs root: it mounts file systems and starts a systemd, in namespaces of their own" >&2; exit 1; }
for tool in dpkg-deb systemd-analyze adduser curl; do
  command -v $tool >/dev/null || { echo "deploy-check needs $tool" >&2; exit 1; }
done

work=$(mktemp -d)
init=
finish() {
  [ -z "$init" ] || kill -KILL "$init" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
fail() {
  echo "deploy-check: $*" >&2
  [ -z "${pid:-}" ] || inside journalctl -u blossomtune -u blossomtune-limits --no-pager 2>/dev/null | tail -30 >&2
  exit 1
}

echo "== package"
scripts/deb.sh "$program" "$(dpkg --print-architecture)" "$(scripts/version.sh)" "$work/blossomtune.deb"

echo "== unit"
unit=deploy/deb/blossomtune.service
# The program is not installed here; everything else that verify reports is a fault.
systemd-analyze verify --man=no --recursive-errors=no $unit 2>&1 | grep -v 'Command /usr/bin/blossomtune is not executable' && fail "the unit is wrong"
systemd-analyze security --offline=true --threshold=40 --no-pager $unit >"$work/security" || { cat "$work/security"; fail "the unit is exposed"; }
tail -1 "$work/security"

echo "== a system of its own"
cat >"$work/boot.sh" <<'BOOT'
set -e
mount --make-rprivate /
mount -t tmpfs -o size=2g tmpfs "$1/system"
cd "$1/system"
mkdir up work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$PWD/up,workdir=$PWD/work" root
mount -t proc proc root/proc
mount -t sysfs sysfs root/sys
mount -t cgroup2 cgroup2 root/sys/fs/cgroup
for dir in run tmp; do mount -t tmpfs tmpfs root/$dir; done
mount --rbind /dev root/dev
cp "$1/blossomtune.deb" root/opt/
# What would change the kernel's settings, which are this machine's, stays off.
for u in systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount \
  proc-sys-fs-binfmt_misc.mount systemd-remount-fs.service sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
  sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount systemd-udevd.service systemd-udev-trigger.service \
  systemd-random-seed.service tmp.mount systemd-update-utmp.service systemd-journald-audit.socket postgresql.service nginx.service; do
  mkdir -p root/run/systemd/system
  ln -s /dev/null root/run/systemd/system/$u
done
# Not chroot: the kernel refuses user namespaces there.
cd root
mkdir -p mnt/host
pivot_root . mnt/host
umount -l /mnt/host
exec env -i container=deploy-check PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=basic.target <&- >&- 2>&-
BOOT
mkdir "$work/system"
unshare --mount --pid --fork --cgroup --ipc --uts --net --kill-child bash "$work/boot.sh" "$work" >"$work/boot.log" 2>&1 &
init=$!
pid=
inside() { nsenter -t "$pid" --mount --pid --cgroup --ipc --uts --net --root --wdns=/ env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C "$@"; }
until_true() { # SECONDS WHAT COMMAND…
  local by=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $by ] || fail "$what: not within the time"
    read -rt 0.2 <> <(:) || true
  done
}
started() { pid=$(pgrep -P "$init" | head -1) && [ -n "$pid" ] && inside systemctl is-active basic.target; }
until_true 60 "systemd starts" started
inside ip link set lo up

echo "== install"
inside dpkg -i /opt/blossomtune.deb >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; fail "dpkg -i"; }
inside blossomtune version
[ "$(inside stat -c '%U:%G %a' /etc/blossomtune/blossomtune.toml)" = "root:blossomtune 640" ] || fail "the configuration is readable for others"
inside systemctl is-enabled -q blossomtune || fail "the service is not enabled"
until_true 90 "the server answers" inside curl -fs http://127.0.0.1:8443/healthz
[ "$(inside stat -c '%U %a' /var/lib/blossomtune)" = "blossomtune 700" ] || fail "the data directory is open to others"
[ "$(inside systemctl show -P MainPID blossomtune | xargs -I@ ps -o user= -p @ 2>/dev/null || true)" != root ] || fail "the server runs as root"

echo "== containment within the unit's limits"
inside sh -c 'sed -e "s,^ExecStart=.*,ExecStart=/usr/bin/blossomtune doctor --json," -e s/^Type=.*/Type=oneshot/ -e s/^Restart=.*// \
  -e "s,^\[Service\],&\nStandardOutput=file:/run/limits.json\nSuccessExitStatus=3 4," /usr/lib/systemd/system/blossomtune.service >/run/systemd/system/blossomtune-limits.service'
inside systemctl daemon-reload
inside systemctl start blossomtune-limits.service || fail "doctor does not run as a service"
inside cat /run/limits.json | python3 -c '
import json, sys
found = [f for place in json.load(sys.stdin) for f in place["findings"] if f["part"] == "containment"]
print(*(f["state"] + ": " + f["says"] for f in found))
sys.exit(not (len(found) == 1 and found[0]["state"] == "ok" and "namespaces" in found[0]["says"] and "without" not in found[0]["says"]))' ||
  fail "apps cannot be contained within the unit's limits"

echo "== restart, remove, purge"
before=$(inside sha256sum /var/lib/blossomtune/tls/ca.pem)
inside systemctl restart blossomtune
until_true 60 "the server answers after a restart" inside curl -fs http://127.0.0.1:8443/healthz
[ "$before" = "$(inside sha256sum /var/lib/blossomtune/tls/ca.pem)" ] || fail "a restart made a new CA"
inside sh -c 'echo "# changed" >>/etc/blossomtune/blossomtune.toml'
inside dpkg -r blossomtune >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; fail "dpkg -r"; }
inside grep -q '# changed' /etc/blossomtune/blossomtune.toml || fail "removing the package removed the configuration"
inside test -f /var/lib/blossomtune/blossomtune.db || fail "removing the package removed the data"
inside pgrep -u blossomtune && fail "a process outlives the package"
inside dpkg -P blossomtune >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; fail "dpkg -P"; }
for path in /var/lib/blossomtune /etc/blossomtune /usr/lib/blossomtune /usr/bin/blossomtune; do
  inside test ! -e $path || fail "purging leaves $path"
done
echo "== all done"
