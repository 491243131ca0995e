#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# conform-qemu.sh - print the path of QEMU 10 for `make conform`, for QEMU=... (docs/conform.md).
#
# Takes qemu-system-arm and what it needs from Debian 12's backports by apt with a configuration of
# its own, into a private folder under ${XDG_CACHE_HOME:-~/.cache}/twostage: nothing is installed on
# this machine. Does so once. Exit status: 0 done, 69 a tool is missing or the packages cannot be
# had (QEMU 7.2 of Debian 12 then does), 74 the folder cannot be written.
set -eu
LC_ALL=C
export LC_ALL
cache=${XDG_CACHE_HOME:-$HOME/.cache}/twostage/qemu-backports
. "$(dirname "$0")/private-apt.sh"

die() {
	status=$1
	shift
	echo "conform-qemu.sh: error: $*" >&2
	exit "$status"
}

qemu=$cache/qemu-system-aarch64
if [ -x "$qemu" ]; then
	echo "$qemu"
	exit 0
fi
work=$cache.$$
trap 'rm -rf "$work"' EXIT
trap 'exit 75' INT TERM HUP
private_apt "$work/apt" host bookworm bookworm-backports
mkdir -p "$work/root" || die 74 "$work/root: cannot be made"
apt-get -q update >&2 || die 69 "apt-get update failed; is the network there?"
apt-get -q -y --download-only install -t bookworm-backports qemu-system-arm >&2 ||
	die 69 "qemu-system-arm of bookworm-backports cannot be had"
for package in "$work"/apt/archives/*.deb; do
	[ -e "$package" ] || die 69 "apt-get brought no package"
	# It only comes along where the older one is installed.
	case $package in */qemu-user_*) continue ;; esac
	dpkg-deb -x "$package" "$work/root" || die 74 "$package: cannot be unpacked"
done
rm -rf "$work/apt"
libraries=$cache/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -dumpmachine)
cat >"$work/qemu-system-aarch64" <<END
#!/bin/sh
export QEMU_MODULE_DIR='$libraries/qemu' LD_LIBRARY_PATH='$libraries'
exec '$cache/root/usr/bin/qemu-system-aarch64' "\$@"
END
chmod +x "$work/qemu-system-aarch64"
rm -rf "$cache"
mv "$work" "$cache" || die 74 "$cache: cannot be made"
"$qemu" --version >&2 || die 69 "$qemu does not run"
echo "$qemu"
