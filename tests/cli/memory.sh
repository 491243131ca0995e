#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# No allocation per access: a replay that is twice as long makes no more, once all pages have been touched. And at most
# 64 MiB besides the simulated tables, on every committed trace.
. tests/lib.sh
: "${TWOSTAGE_FAST:?}"
gcc -O1 -shared -fPIC -D_GNU_SOURCE -o "$work/count.so" tests/cli/count_allocations.c -ldl || { fail 'gcc'; finish; }

# count ARGUMENT... - of `run`: allocations and KiB at most, as `$allocations` and `$kib`; the output is in $work/run
count() {
	rm -f "$work/count"
	COUNT_ALLOCATIONS=$work/count LD_PRELOAD=$work/count.so "$TWOSTAGE_FAST" run -c neoverse-n1 "$@" >"$work/run" 2>&1
	ended=$?
	read -r allocations kib 2>/dev/null <"$work/count" || allocations=0
}

# gen NAME OPTION... - once with so many accesses, once with twice as many; the first accesses are the same
gen() {
	name=$1
	shift
	for n in 1 2; do
		"$TWOSTAGE_FAST" trace gen --accesses $((n * 500000)) --seed 9 "$@" -o "$work/$name$n.s2t" || fail "gen $name"
	done
}
gen page --pattern uniform --footprint 4M
gen line --pattern uniform --footprint 4M --granularity line
gen raw --pattern uniform --footprint 4M --granularity raw
gen many --pattern uniform --footprint 1M --vcpus 2 --vms 2 --quantum 5000 --processes 2 --process_quantum 1000
gen unmap --pattern uniform --footprint 1M --unmap 64K --unmap_every 1000

# grows NAME MOST ARGUMENT... - by how much more at most, for half a million accesses or eight blocks more: a few
# where a block is longer than all before it
grows() {
	name=$1 most=$2
	shift 2
	count "$@" "$work/${name}1.s2t"
	[ $ended -eq 0 ] || fail "$name $*: $(head -n 1 "$work/run")"
	once=$allocations
	count "$@" "$work/${name}2.s2t"
	expect "$name $*: $once allocations, $allocations for twice the accesses" 0 '' \
		test "$once" -gt 100 -a "$allocations" -ge "$once" -a "$allocations" -le $((once + most))
}
grows page 4
grows line 4
grows raw 4
grows page 4 -s tlb.l2.replacement=random
grows page 4 -s tlb.l1d.coalesce=4
grows page 4 -s guest.policy=linux -s guest.thp_permille=500
grows page 4 -s host.age_period=10000 -s host.scan_period=10000
grows page 4 -s host.log_start=1000 -s host.log_sync=10000
grows page 4 -s device.assigned=scattered -s device.dma_period=1000 -s guest.memory=64M
grows page 4 -s cache.data=share
grows page 4 -s warmup.instructions=10000
grows line 4 -s cache.data=simulate
grows raw 4 -s cache.data=simulate
grows raw 4 -s tlb.inclusion=inclusive
grows raw 4 -s tlb.l2.replacement=srrip
# Each block with events has a list of them while it is read.
grows many 24
grows many 24 -s host.vms=3 -s host.timeslice=10000
# An unmapped page comes back at another IPA: memory of 2 MiB more, now and then, and its part of the tables.
grows unmap 40

for trace in $(awk '{ print $2 }' traces/SHA256SUMS); do
	case $trace in *.s2t) ;; *) continue ;; esac
	count --json "traces/${trace#\*}"
	tables=$(jq '(.stats.table_pages_s1 + .stats.table_pages_s2) * 4' "$work/run")
	expect "$trace: $kib KiB at most, $tables of them tables" 0 '' test "${tables:-0}" -gt 0 -a "$kib" -gt 1000 -a $((kib - tables)) -le 65536
done
finish
