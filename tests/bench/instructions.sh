#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# instructions.sh [--update] - fail when the replay needs over 3 % more instructions per access than
# tests/bench/instructions.txt says. callgrind counts them, so the load of the machine is no matter.
# A figure is the difference of a run and of one over the first quarter of the same trace, so that
# start-up and printing do not count; decoding does.
#
# The figures are of one compiler on one kind of processor (first line of the file). With another one the
# test only catches a rise of 30 %; there, take figures of the revision before a change by --update,
# keep them out of the commit, and run the test after the change. --update also accepts a rise that
# is worth it, and should follow a change that makes the replay cheaper: a low figure guards better.
set -u
cd "$(dirname "$0")/../.." || exit 70
. tests/lib.sh
# What would choose other functions of the C library, or another valgrind. It shows a program one kind of processor,
# whatever AVX-512 the host has, as long as that has AVX2.
unset GLIBC_TUNABLES VALGRIND_OPTS LD_PRELOAD

twostage=${TWOSTAGE_FAST:-build/twostage}
figures=tests/bench/instructions.txt

# Traces with their loads and stores: page runs that hit the L2 TLB; a mixture; walks; first touches;
# and raw words, whose runs are made on the way.
specs='stride 2000000 --pattern=stride --stride=64 --footprint=1M
zipf 100000 --pattern=zipf --footprint=512M
gups 160000 --pattern=gups --footprint=32M
touch 64000 --pattern=stride --stride=4096 --footprint=1G
words 200000 --pattern=zipf --footprint=1M --skew=1.2 --size=8 --fetches=3 --code=64K'

# What makes words of page runs; `make check` builds it with the sanitizers only.
words=$(dirname "$twostage")/tests/bench/bench_words
[ -x "$words" ] || words=build-asan/tests/bench/bench_words

# Of the program, which its builder put into it; gcc and clang write it alike.
compiler_of() {
	readelf -p .comment "$1" | sed -n 's/^ *\[ *[0-9a-f]*\] *//p' | sort -u | tr '\n' ' ' |
		sed 's/ $//'
}

# count NAME ACCESSES OPTIONS... -> instructions of the whole run
count() {
	trace=$work/trace.s2t
	rm -f "$work/out.cg"
	kind=$1
	shift
	"$twostage" trace gen --fetches=0 --accesses="$@" -g page -o "$trace" || return
	if [ "$kind" = words ]; then
		"$words" "$trace" "$work/trace.raw8" || return
		trace=$work/trace.raw8
	fi
	valgrind --tool=callgrind --callgrind-out-file="$work/out.cg" \
		"$twostage" run -c neoverse-n1 "$trace" >"$work/log" 2>&1 || return
	awk '/^summary:/ { print $2 }' "$work/out.cg"
}

# measure NAME ACCESSES OPTIONS... -> instructions per access, two decimals
measure() {
	name=$1 n=$2
	shift 2
	fetches=$(echo "$*" | sed -n 's/.*--fetches=\([0-9]*\).*/\1/p')
	part=$(count "$name" $((n / 4)) "$@") && whole=$(count "$name" "$n" "$@") || return
	awk -v n=$((n * (1 + ${fetches:-0}))) -v whole="$whole" -v part="$part" \
		'BEGIN { printf "%.2f\n", (whole - part) / (n * 3 / 4) }'
}

# What the program chooses by, at run time (sim/mmu/lru_find.c).
processor=$(uname -m)$(sed -n 's/^flags.*\( avx2\) .*/\1/p' /proc/cpuinfo | head -n 1)
built="$processor $(compiler_of "$twostage")"
limit=3
if [ "$built" != "$(sed -n 's/^# built: //p' $figures)" ] && [ "${1-}" != --update ]; then
	echo "note: $figures is of another compiler, so the limit is 30 %, not 3 %"
	limit=30
fi

echo "# built: $built" >"$work/new"
echo "# trace, instructions per access (sh tests/bench/instructions.sh --update)" >>"$work/new"
while read -r name options; do
	# shellcheck disable=SC2086
	now=$(measure $name $options) || now=
	if [ -z "$now" ]; then
		fail "$name: cannot be measured"
		tail -n 5 "$work/log" 2>/dev/null
		continue
	fi
	was=$(awk -v name="$name" '$1 == name { print $2 }' $figures)
	echo "$name: $now instructions per access, committed ${was:-none}"
	echo "$name $now" >>"$work/new"
	if [ "${1-}" = --update ]; then
		continue
	elif awk -v now="$now" -v was="${was:-0}" -v limit=$limit \
		'BEGIN { exit !(now <= was * (1 + limit / 100)) }'; then
		pass "$name"
	else
		fail "$name: more than $limit % above the committed figure"
	fi
done <<LIST
$specs
LIST

if [ "${1-}" = --update ]; then
	[ $failed -eq 0 ] && cp "$work/new" $figures
	exit
fi
finish
