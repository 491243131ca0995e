#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# dinero.sh [-n ACCESSES] [TRACE...] - miss counts of the TLBs against Dinero IV's, which must be equal.
#
# Wants dineroIV on PATH (`make check-dinero`; no part of `make check`, since no package has it). Each trace (the committed
# ones of one address space) is cut to its first ACCESSES (2 million) and replayed with several shapes of TLB; for Dinero they
# are caches with blocks of a page. Loads and stores are reads to it: a TLB writes nothing back. What would make other
# entries than one a page is switched off: TLBIs (core.dic=1: KVM then has no permission to add at a first fetch), walk caches
# in the L2 TLB, and larger pages. `mrc` has no such effects and is compared at pages of up to 32 KiB, Dinero's largest block.
set -u
cd "$(dirname "$0")/../../.." || exit 70
: "${TWOSTAGE:=$PWD/build/twostage}"
. tests/lib.sh

accesses=2000000
while getopts n: option; do
	case $option in
	n) accesses=$OPTARG ;;
	*) exit 64 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- traces/bfs.s2t traces/cc1.s2t traces/chase.s2t traces/gups.s2t traces/python.s2t traces/redis.s2t \
	traces/sqlite.s2t traces/xz.s2t
command -v dineroIV >/dev/null || {
	echo 'dinero.sh: error: no dineroIV on PATH' >&2
	exit 69
}

# to_din <CSV >DIN - each record's accesses at its page, fetches 2, data 0
to_din() {
	awk -F, -v left="$accesses" '
		/^[0-9]/ {
			line = ($5 == "fetch" ? 2 : 0) " " $6
			for (n = $9 + $10; n > 0 && left > 0; n--) {
				print line
				left--
			}
			if (left == 0)
				exit
		}'
}

# kib ENTRIES [KIB] - a cache of as many blocks of so many KiB, 4 if not said
kib() {
	echo "$(($1 * ${2:-4}))k"
}

# dinero ENTRIES WAYS L2-ENTRIES L2-WAYS lru|fifo <DIN - "L1I L1D L2" misses
dinero() {
	policy=$(echo "$5" | cut -c 1)
	dineroIV -l1-isize "$(kib "$1")" -l1-ibsize 4k -l1-iassoc "$2" -l1-irepl "$policy" \
		-l1-dsize "$(kib "$1")" -l1-dbsize 4k -l1-dassoc "$2" -l1-drepl "$policy" \
		-l2-usize "$(kib "$3")" -l2-ubsize 4k -l2-uassoc "$4" -l2-urepl "$policy" -informat d |
		awk '/Demand Misses/ { line = line sep $3; sep = " " } END { print line }'
}

# twostage ENTRIES WAYS L2-ENTRIES L2-WAYS lru|fifo DIN - the same
twostage() {
	"$TWOSTAGE" run --json -c neoverse-n1 -s core.dic=1 -s walk_cache.s1.place=own -s walk_cache.s2.place=own \
		-s tlb.l1i.entries="$1" -s tlb.l1i.ways="$2" -s tlb.l1d.entries="$1" -s tlb.l1d.ways="$2" \
		-s tlb.l2.entries="$3" -s tlb.l2.ways="$4" \
		-s tlb.l1i.replacement="$5" -s tlb.l1d.replacement="$5" -s tlb.l2.replacement="$5" --from din "$6" |
		jq -r '.stats | if .tlbis == 0 then "\(.l1i_tlb_misses) \(.l1d_tlb_misses) \(.l2_tlb_misses)" else "TLBIs" end'
}

# dinero_full ENTRIES KIB <DIN - "fetch data" misses of fully associative LRU TLBs with pages of so many KiB
dinero_full() {
	dineroIV -l1-isize "$(kib "$1" "$2")" -l1-ibsize "$2k" -l1-iassoc "$1" -l1-dsize "$(kib "$1" "$2")" -l1-dbsize "$2k" \
		-l1-dassoc "$1" -informat d | awk '/Demand Misses/ { line = line sep $3; sep = " " } END { print line }'
}

# curve ENTRIES KIB DIN - the same by `mrc`
curve() {
	"$TWOSTAGE" mrc --csv --sizes "$1" -p "$2K" --from din "$3" |
		awk -F, '{ misses[$1] = $5 } END { print misses["fetch"], misses["data"] }'
}

# compare NAME WHAT OURS DINERO'S
compare() {
	printf '%-12s %-20s %s\n' "$1" "$2" "$4"
	if [ -n "$4" ] && [ "$3" = "$4" ]; then
		pass "$1"
	else
		fail "$1 with $2: misses $3, Dinero has $4"
	fi
}

printf '%-12s %-20s %s\n' trace 'L1, L2' 'misses: L1I L1D L2'
for trace; do
	name=$(basename "$trace" .s2t)
	"$TWOSTAGE" trace cat "$trace" 2>/dev/null | to_din >"$work/din"
	for shape in '48 48 1280 5 lru' '64 64 1024 4 lru' '32 4 512 2 lru' '16 1 128 128 lru' '48 48 1280 5 fifo' '32 4 512 2 fifo'; do
		compare "$name" "$shape" "$(twostage $shape "$work/din")" "$(dinero $shape <"$work/din")"
	done
	for size in '16 4' '100 4' '512 4' '48 16' '200 32'; do
		compare "$name" "mrc, $size KiB" "$(curve $size "$work/din")" "$(dinero_full $size <"$work/din")"
	done
done
finish
