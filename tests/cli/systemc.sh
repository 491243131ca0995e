#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# timing.backend systemc from the command line: one vCPU gives what the analytic backend gives, to the cycle, on every
# committed trace; sweeps; what cannot be.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"

# stats PROGRAM ARGS... - the statistics alone, without the parameters
stats() {
	"$@" | jq -cS .stats
}

for trace in $(awk '{ print $2 }' traces/SHA256SUMS); do
	case $trace in *.s2t) trace=traces/${trace#\*} ;; *) continue ;; esac
	stats "$TWOSTAGE_FAST" run -j "$trace" >"$work/analytic"
	stats "$TWOSTAGE_FAST" run -j --timing systemc "$trace" >"$work/systemc"
	grep -q '"walk_cycles":[1-9]' "$work/analytic" || fail "$trace: no walks"
	expect "$trace" 0 '' cmp "$work/analytic" "$work/systemc"
done

# Sixteen vCPUs on one memory. With less bandwidth, walks get longer, in the mean and in the tail; what happens is
# the same, and the same again when repeated.
"$TWOSTAGE_FAST" trace gen --pattern=gups --footprint=512M --accesses=400K --vcpus=16 --seed=3 -o "$work/v16.s2t" ||
	fail 'trace gen'
run() {
	"$TWOSTAGE_FAST" run -j -s cache.l2.size=0 -s cache.llc.size=1M "$@"
}
timeless='with_entries(select(.key | test("cycles|found|reads_") | not))'
for c in 0 8 16 32 64; do
	stats run -t systemc -s dram.line_cycles=$c "$work/v16.s2t" >"$work/c$c"
	jq -c "$timeless" "$work/c$c" >"$work/t$c"
	jq -r "[$c, .walk_cycles, .walk_cycles_p99, .walk_wait_cycles] | @tsv" "$work/c$c"
done >"$work/rise"
stats run -t systemc -s dram.line_cycles=64 "$work/v16.s2t" >"$work/again"
stats run "$work/v16.s2t" | jq -c "$timeless" >"$work/t-analytic"
expect 'latency rises' 0 '^5 rows$' awk '
	NR == 1 && $4 != 0 { exit 1 }
	NR > 1 && !($2 > mean && $3 > p99 && $4 > wait) { exit 1 }
	{ mean = $2; p99 = $3; wait = $4 }
	END { print NR " rows" }' "$work/rise"
expect 'again' 0 '' cmp "$work/c64" "$work/again"
for c in 0 8 16 32 64; do
	expect "counts of $c" 0 '' cmp "$work/t$c" "$work/t-analytic"
done

# Likewise with fewer vCPUs on the same memory, where less of it is enough.
for n in 2 4 8; do
	"$TWOSTAGE_FAST" trace gen --pattern=gups --footprint=512M --accesses=100K --vcpus=$n --seed=3 -o "$work/n.s2t" ||
		fail 'trace gen'
	for c in 32 64 128; do
		stats run -t systemc -s dram.line_cycles=$c "$work/n.s2t" | jq -r '[.walk_cycles, .walk_cycles_p99] | @tsv'
	done >"$work/rise"
	expect "$n vCPUs" 0 '^3 rows$' awk 'NR > 1 && !($1 > mean && $2 > p99) { exit 1 } { mean = $1; p99 = $2 }
		END { print NR " rows" }' "$work/rise"
done

# The quantum is a matter of speed: it moves the mean by no more than a few percent (docs/model.md, M38).
for q in 1 1000; do
	stats run -t systemc -s dram.line_cycles=64 -s timing.quantum_cycles=$q "$work/v16.s2t" >"$work/q$q"
done
expect 'quantum' 0 '^true$' jq -s '(.[0].walk_cycles / .[1].walk_cycles) | . > 0.93 and . < 1.07' "$work/q1" "$work/q1000"

# One after the other at a distance of more than a read takes, even one vCPU waits: each read but the first of a
# burst comes back after 300 cycles and finds DRAM busy for 700 more.
expect 'one vCPU' 0 '"walk_wait_cycles":0,' run -t systemc -s dram.line_cycles=300 traces/guest-image.s2t
expect 'longer than a read' 0 '"walk_wait_cycles":[1-9]' run -t systemc -s dram.line_cycles=1000 traces/guest-image.s2t
expect 'interconnect' 0 '"walk_wait_cycles":[1-9]' run -t systemc -s interconnect.request_cycles=30 "$work/v16.s2t"
expect 'last-level cache' 0 '"walk_wait_cycles":[1-9]' run -t systemc -s cache.llc.request_cycles=30 \
	-s cache.llc.queue_depth=2 "$work/v16.s2t"

# A queue of one stops the interconnect, and with it those that hit in the last-level cache.
stats run -t systemc -s dram.line_cycles=64 -s dram.queue_depth=1 "$work/v16.s2t" >"$work/q1"
expect 'queue' 0 '^true$' jq -s '.[0].walk_wait_cycles > .[1].walk_wait_cycles' "$work/q1" "$work/c64"

# Broadcasts: each holds the interconnect for dvm_cycles times the other vCPUs.
"$TWOSTAGE_FAST" trace gen --pattern=uniform --footprint=8M --accesses=100K --vcpus=4 --unmap_every=5000 --unmap=64K \
	--seed=1 -o "$work/unmap.s2t" || fail 'trace gen'
stats run -t systemc -s interconnect.dvm_cycles=10 "$work/unmap.s2t" >"$work/dvm"
expect 'broadcasts' 0 '^true$' jq '.tlbis_broadcast > 0 and .dvm_cycles >= .tlbis_broadcast * 30' "$work/dvm"
stats run -t systemc "$work/unmap.s2t" >"$work/dvm"
expect 'broadcasts for nothing' 0 '^0$' jq .dvm_cycles "$work/dvm"

# Those of KVM, too. Dirty logging starts and is read twice, each time with RIPAS2E1IS and VMALLE1IS for each 8 GiB of a memslot
# from 1 GiB to 1 TiB; each split block takes IPAS2E1IS and VMALLE1IS.
"$TWOSTAGE_FAST" trace gen --pattern=uniform --footprint=8M --accesses=40K --stores=50 --vcpus=4 --seed=1 -o "$work/log.s2t" ||
	fail 'trace gen'
stats run -t systemc -s interconnect.dvm_cycles=10 -s host.backing=2M -s host.log_start=10000 -s host.log_sync=10000 \
	"$work/log.s2t" >"$work/dvm"
expect "KVM's broadcasts" 0 '^true$' jq '.s2_splits > 0 and .tlbis_broadcast == 3 * 128 * 2 + 2 * .s2_splits and
	.dvm_cycles >= .tlbis_broadcast * 30' "$work/dvm"

# A sweep: each point in a process of its own, with any number of workers.
cat >"$work/s.yaml" <<END
name: contention
models: armv8-max
traces: $work/unmap.s2t
axes:
  dram.line_cycles: [0, 16, 64]
END
for jobs in 1 3; do
	expect "sweep of $jobs" 0 '3 points: 3 run' "$TWOSTAGE" sweep -t systemc -j $jobs -o "$work/$jobs.db" "$work/s.yaml"
	"$TWOSTAGE" db export "$work/$jobs.db" >"$work/$jobs.csv" 2>/dev/null
done
expect 'sweeps agree' 0 '' cmp "$work/1.csv" "$work/3.csv"
expect 'two traces' 0 '^unmap.s2t on' "$TWOSTAGE" run -t systemc traces/guest-image.s2t "$work/unmap.s2t"
expect 'no such backend' 65 "timing.backend.*did you mean 'systemc'" "$TWOSTAGE" run -t system "$work/unmap.s2t"
finish
