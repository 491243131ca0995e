#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# conform-kernel.sh KERNEL - print the path of a kernel for `make conform-kvm` (docs/conform.md).
#
# KERNEL is 6.1 (Debian 12), 6.12 or 6.12-16k (Debian 13; 16K pages). The newest arm64 package of that
# suite goes into a private folder under ${XDG_CACHE_HOME:-~/.cache}/twostage, by apt with a
# configuration of its own, once: nothing is installed on this machine.
# Exit status: 0 done, 64 usage, 69 a tool is missing or the package cannot be had, 74 the folder cannot
# be written.
set -eu
LC_ALL=C
export LC_ALL
. "$(dirname "$0")/private-apt.sh"

die() {
	status=$1
	shift
	echo "conform-kernel.sh: error: $*" >&2
	exit "$status"
}

kernel=${1:-}
case $kernel in
6.1) suite=bookworm package=linux-image-arm64 ;;
6.12) suite=trixie package=linux-image-arm64 ;;
6.12-16k) suite=trixie package=linux-image-arm64-16k ;;
*) die 64 "name a kernel: 6.1, 6.12 or 6.12-16k" ;;
esac
cache=${XDG_CACHE_HOME:-$HOME/.cache}/twostage/kernel-$kernel
if [ -e "$cache/vmlinuz" ]; then
	echo "$cache/vmlinuz"
	exit 0
fi
work=$cache.$$
trap 'rm -rf "$work"' EXIT
trap 'exit 75' INT TERM HUP
private_apt "$work/apt" arm64 "$suite"
apt-get -q update >&2 || die 69 "apt-get update failed; is the network there?"
# The package without a version in its name depends on the newest one.
image=$(apt-cache depends "$package" | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p')
case $image in
linux-image-"${kernel%-16k}".*) ;;
*) die 69 "$package of $suite is '$image', not $kernel" ;;
esac
(cd "$work" && apt-get -q download "$image" >&2) || die 69 "$image cannot be had"
mkdir -p "$work/root"
dpkg-deb -x "$work/$image"_*.deb "$work/root" || die 74 "$image: cannot be unpacked"
mkdir -p "$cache" || die 74 "$cache: cannot be made"
basename "$work/$image"_*.deb .deb >"$cache/package"
mv "$work/root/boot"/vmlinuz-* "$cache/vmlinuz" || die 74 "$cache: cannot be written"
echo "$cache/vmlinuz"
