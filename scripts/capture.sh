#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# capture.sh [-o FILE] [-p KEY=VALUE]... RECIPE - record one trace, and with some recipes a dump of
#                                                 the guest's memory (docs/capture.md)
# capture.sh --index [FOLDER]                   - write SHA256SUMS and the table of README.md anew
#
# RECIPE is a name in workloads/recipes/ or a file. Debian's arm64 packages that it names go into a
# private folder under ${XDG_CACHE_HOME:-~/.cache}/twostage, by apt with a configuration of its own:
# nothing is installed on this machine. -o names the trace (traces/NAME.s2t), -p sets or replaces
# an option of the plug-in (granularity=raw, limit=1000000, ...).
# Exit status: 0 done, 64 usage, 66 no such recipe, 69 a tool is missing, else that of what failed.
set -eu
LC_ALL=C
export LC_ALL

top=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/twostage
. "$top/scripts/private-apt.sh"
suite=bookworm

die() {
	status=$1
	shift
	echo "capture.sh: error: $*" >&2
	exit "$status"
}

say() {
	echo "capture.sh: $*" >&2
}

need() {
	command -v "$1" >/dev/null 2>&1 || die 69 "$1 is missing; install the package $2"
}

# ---- packages ------------------------------------------------------------------------------------

apt_prepare() {
	private_apt "$cache/apt" arm64 "$suite"
	# Once a day is enough.
	if [ -z "$(find "$cache/apt/updated" -mtime -1 2>/dev/null)" ]; then
		say "reading the package lists of $mirror"
		apt-get -q update >&2
		touch "$cache/apt/updated"
	fi
}

# What the sysroot lacks, QEMU looks up on this machine. Its loader cache would decide how the
# guest's loader searches, and so its accesses; an empty one is passed over.
shield_sysroot() {
	mkdir -p "$sysroot/etc"
	: >"$sysroot/etc/ld.so.cache"
}

# Unpack the packages $packages and all they depend on into $sysroot, unless these very versions
# are there. Lists them, name=version, in $folder/packages.
fetch_packages() {
	[ -n "$packages" ] || return 0
	apt_prepare
	# shellcheck disable=SC2086
	apt-get -s install $packages |
		sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' | sort >"$folder/packages.new"
	if cmp -s "$folder/packages.new" "$folder/packages"; then
		rm "$folder/packages.new"
		return 0
	fi
	say "fetching $(wc -l <"$folder/packages.new") packages"
	# shellcheck disable=SC2086
	apt-get -q -y --download-only install $packages >&2
	rm -rf "$sysroot"
	mkdir -p "$sysroot"
	while IFS== read -r deb version; do
		file=$(echo "${deb%:*}_${version}_" | sed 's/:/%3a/g')
		for deb in "$cache/apt/archives/$file"*.deb; do
			dpkg-deb -x "$deb" "$sysroot"
		done
	done <"$folder/packages.new"
	shield_sysroot
	mv "$folder/packages.new" "$folder/packages"
}

# ---- what recipes use ----------------------------------------------------------------------------

# Build workloads/$1.c for the guest into $folder/work/$1.
cross_compile() {
	need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
	aarch64-linux-gnu-gcc -std=c17 -D_GNU_SOURCE -O2 -static -o "$work/$1" \
		"$top/workloads/$1.c"
}

# An address space of 512 GiB reserved for the guest makes its addresses the same in every run.
user_qemu() {
	env -i PATH=/usr/bin:/bin LC_ALL=C TZ=UTC HOME=/nonexistent ${guest_env:-} \
		qemu-aarch64 -L "$sysroot" -cpu "$cpu" -R 0x8000000000 -seed 1 "$@"
}

# Run a program of the guest without recording it.
guest() {
	user_qemu "$@"
}

# Run a program of the guest and record it.
traced() {
	write_provenance "$*"
	user_qemu -plugin "$(plugin_argument)" "$@"
}

# Boot and record a machine: traced_machine QEMU-OPTION...
traced_machine() {
	need qemu-system-aarch64 qemu-system-arm
	emulator=qemu-system-aarch64
	write_provenance "qemu-system-aarch64 -cpu $cpu $*"
	qemu-system-aarch64 -cpu "$cpu" -plugin "$(plugin_argument)" "$@" </dev/null
}

# Record a machine and dump it: traced_image RAM-ADDRESS RAM-BYTES QEMU-OPTION... Recording ends in
# a stop of the machine, for which the debugger waits; it then asks for registers and memory.
traced_image() {
	need qemu-system-aarch64 qemu-system-arm
	need gdb-multiarch gdb-multiarch
	emulator=qemu-system-aarch64
	ram_address=$1 ram_bytes=$2
	shift 2
	write_provenance "qemu-system-aarch64 -cpu $cpu $*"
	options="$options after=stop"
	qemu-system-aarch64 -cpu "$cpu" -plugin "$(plugin_argument)" -S \
		-gdb unix:gdb,server=on,wait=off "$@" </dev/null &
	await test -S gdb
	image_commands >gdb.commands
	gdb-multiarch -q -nx -batch -x gdb.commands >gdb.output || die 70 "the debugger failed"
	wait || :
	grep -E '^[a-z0-9_]+=0x[0-9a-f]+$' gdb.output >"$image.regs"
	truncate -s "$((ram_bytes))" "$image" # fails if there is none
}

image_commands() {
	cat <<-END
		set confirm off
		set pagination off
		target remote ./gdb
		continue
		printf "ram_base=0x%lx\nram_bytes=0x%lx\n", $ram_address, $ram_bytes
	END
	# QEMU calls SCTLR_EL1 SCTLR.
	for register in TTBR0_EL1 TTBR1_EL1 TCR_EL1 MAIR_EL1 SCTLR; do
		key=$(echo "${register%_EL1}" | tr '[:upper:]' '[:lower:]')_el1
		cat <<-END
			printf "$key=0x%lx\n", (unsigned long)\$$register
		END
	done
	cat <<-END
		monitor pmemsave $ram_address $ram_bytes "$image"
		kill
	END
}

# Wait until "$@" succeeds, a minute at most.
await() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || die 70 "no success in a minute: $*"
		sleep 0.2
	done
}

# ---- recording -----------------------------------------------------------------------------------

# QEMU ends a value at a comma; a doubled one is a comma.
quoted() {
	echo "$1" | sed 's/,/,,/g'
}

plugin_argument() {
	argument=file=$(quoted "$plugin"),out=$(quoted "$partial")
	argument=$argument,provenance=$(quoted "$folder/provenance")
	for option in level=19 $options $extra; do
		argument=$argument,$option
	done
	echo "$argument"
}

version_of() {
	sed -n "s/^$1=//p" "$folder/packages"
}

# Command lines hold no path of this machine.
write_provenance() {
	{
		echo "name: $name"
		echo "title: $title"
		if [ -n "$package" ]; then
			echo "program: $program $(version_of "$package") (Debian $suite arm64)"
		else
			echo "program: $program (compiled by $(aarch64-linux-gnu-gcc --version | head -n 1))"
		fi
		echo "command: $(echo "$1" | sed "s|$sysroot|SYSROOT|g; s|$work|.|g")"
		echo "cpu: $cpu"
		echo "qemu: $($emulator --version | head -n 1)"
		echo "tool: twostage $(tool_version)"
		echo "date: $(date -u +%Y-%m-%dT%H:%M:%SZ)"
		echo "recipe: $(basename "$recipe") sha256 $(sha256sum <"$recipe" | cut -c 1-64)"
		echo "deterministic: $deterministic"
		[ ! -s "$folder/packages" ] || echo "packages: $(tr '\n' ' ' <"$folder/packages")"
	} >"$folder/provenance"
}

tool_version() {
	git -C "$top" describe --always --dirty 2>/dev/null || echo "without version"
}

# store_image FILE: FILE.zst and FILE.regs.
store_image() {
	need zstd zstd
	zstd -q -f -19 --long=27 -T1 "$image" -o "$1.zst"
	cp "$image.regs" "$1.regs"
	rm "$image" "$image.regs"
	say "$name: $(wc -c <"$1.zst") bytes in $1.zst"
}

record() {
	need qemu-aarch64 qemu-user
	packages='' package='' program=$name title='' options='' cpu=neoverse-n1 guest_env=''
	deterministic=yes emulator=qemu-aarch64
	setup() { :; }
	# shellcheck disable=SC1090
	. "$recipe"
	folder=$cache/$name
	work=$folder/work
	sysroot=$folder/sysroot
	out=${out:-$top/traces/$name.s2t}
	partial=$folder/$name.s2t
	image=$folder/$name.img
	plugin=${TWOSTAGE_PLUGIN:-$top/build/capture.so}
	mkdir -p "$folder" "$(dirname "$out")"
	out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
	[ -e "$plugin" ] || make -C "$top" capture >&2
	fetch_packages
	rm -rf "$work" "$partial" "$image" "$image.regs"
	mkdir -p "$work"
	cd "$work"
	ln -s "$sysroot" sysroot
	say "$name: set-up"
	setup
	say "$name: recording"
	# What a guest finds as its input and output must not depend on who runs this.
	run </dev/null >"$folder/output"
	cp "$partial" "$out.part.$$"
	mv "$out.part.$$" "$out"
	[ ! -e "$image" ] || store_image "${out%.s2t}.img"
	rm -rf "$work" "$partial"
	say "$name: $(wc -c <"$out") bytes in $out"
}

# ---- table and checksums -------------------------------------------------------------------------

# info FILE KEY: a number from `twostage trace info --json`, or a line of the provenance.
info_number() {
	sed -n "s/^.*\"$1\": *\([0-9]*\).*/\1/p" "$scratch/json" | head -n 1
}

info_line() {
	sed -n "s/^ *$1: *//p" "$scratch/text" | head -n 1
}

table_row() {
	"$twostage" trace info --json "$1" >"$scratch/json"
	"$twostage" trace info "$1" >"$scratch/text"
	name=$(basename "$1" .s2t)
	printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' \
		"[$name](../workloads/recipes/$name.recipe)" \
		"$(info_line program)" "$(info_line title)" \
		"$(millions fetches)" "$(millions loads)" "$(millions stores)" \
		"$(info_number records)" "$(footprint "$1")" \
		"$(awk -v n="$(wc -c <"$1")" 'BEGIN { printf "%.1f MiB", n / 1048576 }')"
}

millions() {
	awk -v n="$(info_number "$1")" 'BEGIN { printf "%.2f M", n / 1e6 }'
}

# Distinct 4 KiB pages of data.
footprint() {
	"$twostage" trace cat "$1" |
		awk -F, '$5 == "data" && !seen[$6]++ { n++ } END { printf "%.1f MiB", n / 256 }'
}

index() {
	twostage=${TWOSTAGE:-$top/build/twostage}
	[ -x "$twostage" ] || die 69 "$twostage is missing; run make"
	cd "$1"
	scratch=$(mktemp -d)
	trap 'rm -rf "$scratch"' EXIT
	find . -maxdepth 1 -name '*.s2t' -o -maxdepth 1 -name '*.img.*' | sed 's|^./||' | sort |
		xargs sha256sum -- >SHA256SUMS
	{
		sed '/^<!-- table -->$/q' README.md
		echo '| trace | program | what it does | fetches | loads | stores | records | data touched | size |'
		echo '|---|---|---|---:|---:|---:|---:|---:|---:|'
		for trace in *.s2t; do
			table_row "$trace"
		done
		sed -n '/^<!-- end of table -->$/,$p' README.md
	} >"$scratch/readme"
	cat "$scratch/readme" >README.md
}

# ---- command line --------------------------------------------------------------------------------

out='' extra='' recipe=''
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		sed -n '3,12s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	--index)
		index "${2:-$top/traces}"
		exit 0
		;;
	-o | -p)
		[ $# -ge 2 ] || die 64 "$1 needs a value"
		if [ "$1" = -o ]; then out=$2; else extra="$extra $2"; fi
		shift
		;;
	-*) die 64 "unknown option $1; see --help" ;;
	*)
		[ -z "$recipe" ] || die 64 "one recipe at a time"
		recipe=$1
		;;
	esac
	shift
done
[ -n "$recipe" ] || die 64 "name a recipe: $(cd "$top/workloads/recipes" && echo *.recipe |
	sed 's/\.recipe//g')"
[ -e "$recipe" ] || recipe=$top/workloads/recipes/$recipe.recipe
[ -e "$recipe" ] || die 66 "$recipe: no such recipe"
case $recipe in /*) ;; *) recipe=$PWD/$recipe ;; esac
name=$(basename "$recipe" .recipe)
record
