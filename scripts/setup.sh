#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# setup.sh build|report|check|fuzz|slurm [CC] - install the Debian packages that this purpose still misses.
# Asks dpkg first and touches nothing when all are there. Messages go to stderr.
set -eu

build='gcc g++ libsystemc-dev libc6-dev make pkg-config libyaml-dev libzstd-dev libxxhash-dev libsqlite3-dev
	liblzma-dev zlib1g-dev'
report='gnuplot-nox'
check='libcmocka-dev clang clang-format sqlite3 jq procps zstd xz-utils gzip valgrind binutils
	qemu-user qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross
	man-db util-linux'

purpose=${1:?usage: setup.sh build|report|check|fuzz|slurm [CC]}
compiler=${2:-gcc}

case $purpose in
build) wanted=$build ;;
report) wanted="$build $report" ;;
check) wanted="$build $report $check" ;;
slurm) wanted="$build sqlite3 procps slurm-wlm munge" ;;
fuzz) wanted="$build clang libclang-rt-14-dev" ;;
*)
	echo "setup: error: unknown purpose '$purpose'; use build, report, check, fuzz or slurm" >&2
	exit 64
	;;
esac
case $compiler in
clang*) wanted="$wanted clang" ;;
esac

say() {
	echo "setup: $*" >&2
}

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
	say "error: this is not a Debian system, so the packages cannot be installed from here."
	say "Install what these names stand for, then run make with SETUP=no:" $wanted
	exit 1
fi

# Names that dpkg does not have as "install ok installed".
# shellcheck disable=SC2086
missing=$(
	{
		dpkg-query -W -f='${Package} ${Status}\n' $wanted 2>/dev/null || :
	} | awk -v wanted="$wanted" '
		$4 == "installed" { have[$1] = 1 }
		END {
			n = split(wanted, name, /[ \t\n]+/)
			for (i = 1; i <= n; i++)
				if (name[i] != "" && !(name[i] in have) && !seen[name[i]]++)
					printf "%s ", name[i]
		}'
)
missing=${missing% }
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		say "error: not root and no sudo. Ask the administrator for: $missing"
		exit 1
	fi
	as_root=sudo
fi

apt() {
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
		-o Dpkg::Use-Pty=0 "$@" >&2
}

say "installing: $missing"
if ! apt update; then
	say "error: apt-get update failed (is the network there?); still missing: $missing"
	exit 1
fi
# shellcheck disable=SC2086
if ! apt install --no-install-recommends $missing; then
	say "error: these packages could not be installed (is the network there? is this Debian 12?):"
	say "  $missing"
	exit 1
fi
