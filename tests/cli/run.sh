#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage run`: forms of the command line, output, refusals.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}" "${TWOSTAGE_CLANG:?}"
t=$work/t.s2t
"$TWOSTAGE" trace gen --pattern uniform --footprint 64M --accesses 50000 --fetches 2 --seed 3 -o "$t" ||
	fail 'trace gen'
"$TWOSTAGE" trace gen --pattern uniform --footprint 64M --accesses 50000 --fetches 2 --seed 3 -g raw \
	-o "$work/raw.s2t" || fail 'trace gen'

expect 'text' 0 '^  accesses +150,000 accesses$' "$TWOSTAGE" run -c neoverse-n1 "$t"
expect 'derived figures' 0 '^  descriptor reads per walk +[0-9.]+$' "$TWOSTAGE" run -c models/neoverse-n1.yaml "$t"
expect 'without a model' 0 'on default' "$TWOSTAGE" run "$t"
stat() {
	sh -c '"$TWOSTAGE" run --json "$@" | jq -r "$expression"' sh "$@"
}
expression='[.schema, .stats.accesses, .params["stage2.ipa_bits"], .params["tlb.l1d.replacement"]] | join(" ")'
export expression
expect 'JSON' 0 '^1 150000 44 fifo$' stat -c neoverse-n1 -s stage2.ipa_bits=44 --set tlb.l1d.replacement=fifo "$t"
expression='[.stats[] | type] | unique | join(" ")'
expect 'plain numbers' 0 '^number$' stat -c neoverse-n1 "$t"
# Descriptors of a stage that is read as Non-cacheable come from DRAM, each; the others do not mind.
expression='[.stats | .walk_reads == .walk_reads_dram, .walks > 1000] | join(" ")'
expect 'non-cacheable walks' 0 '^true true$' stat -c neoverse-n1 -s stage1.walk_cacheability=non-cacheable \
	-s stage2.walk_cacheability=non-cacheable "$t"
for s in 1 2; do
	expression="[.stats | .walks > 1000, ([to_entries[] | select(.key | test(\"^reads_s${s}_.*_(l1d|l2|llc)$\")) | .value] | add),
		([to_entries[] | select(.key | test(\"^reads_s$((3 - s))_.*_(l1d|l2)$\")) | .value] | add > 1000)] | join(\" \")"
	expect "non-cacheable walks of stage $s" 0 '^true 0 true$' stat -c neoverse-n1 \
		-s stage$s.walk_cacheability=non-cacheable "$t"
done
expression='[.stats.walks == ([.walk_latencies[].walks] | add), .stats.walks_page_page == ([.walk_latencies[].page_page] | add),
	.stats.walk_cycles_max <= .walk_latencies[-1].to, (.walk_latencies | length > 3)] | join(" ")'
expect 'histogram' 0 '^true true true true$' stat --histogram -c neoverse-n1 "$t"
expect 'histogram as text' 0 '^ +[0-9]+ +[0-9]+ +[0-9]+ +100.00 +[0-9]+$' "$TWOSTAGE" run -H -c neoverse-n1 "$t"
expect 'histogram and SystemC' 64 'error: --histogram wants timing.backend=analytic' "$TWOSTAGE" run -H -t systemc "$t"
expression='.trace.name'
expect 'several traces' 0 '^raw.s2t$' stat -c neoverse-n1 "$t" "$work/raw.s2t"

expression='[.intervals | length, (map(.l2_tlb_misses) | add), map(.instructions)[-1]] + [.stats.l2_tlb_misses] | join(" ")'
expect 'intervals' 0 '^4 ([0-9]+) 10000 \1$' stat -s interval.instructions=30000 "$t"
expression='has("intervals")'
expect 'no intervals' 0 '^false$' stat "$t"
expect 'intervals as text' 0 '^ +3 +10000 +[0-9]+ ' "$TWOSTAGE" run -s interval.instructions=30000 "$t"
expect 'warm-up' 0 '^  instructions +60,000 instructions$' "$TWOSTAGE" run -s warmup.instructions=40000 "$t"
expect 'warm-up too long' 65 'nothing is left of a trace of 100000 instructions' "$TWOSTAGE" run \
	-s warmup.instructions=100000 "$t"

expect 'lines want line runs' 65 'cache.data: .*needs a trace of line runs or a raw one' "$TWOSTAGE" run \
	-s cache.data=simulate "$t"
expect 'lines of a raw trace' 0 '^  guest_lines +150,000 lines$' "$TWOSTAGE" run -s cache.data=simulate "$work/raw.s2t"
printf 'pattern: stride\nfootprint: 1M\naccesses: 1000\nstride: 16\nsize: 8\n' >"$work/spec.yaml"
expect 'a specification becomes line runs' 0 '^  guest_lines +250 lines$' "$TWOSTAGE" run -s cache.data=simulate "$work/spec.yaml"
expect 'or single accesses, for walks that are repeated' 0 '^  walks_repeated +[1-9]' "$TWOSTAGE" run \
	-s core.window_instructions=64 -s walker.count=2 -s walker.merge=no "$work/spec.yaml"
expect 'and for an inclusive L2 TLB' 0 '^  accesses +1,000 accesses$' "$TWOSTAGE" run -s tlb.inclusion=inclusive "$work/spec.yaml"

# The names that must exist, and what lists them.
expression='.stats | keys_unsorted[]'
stat "$t" | sort >"$work/names"
"$TWOSTAGE" list stats | awk '{ print $1 }' | sort >"$work/listed"
expect 'statistics are those listed' 0 '' cmp "$work/names" "$work/listed"
for name in accesses instructions fetches loads stores l1i_tlb_misses l1d_tlb_misses l2_tlb_misses walks \
	walk_reads walk_reads_s1 walk_reads_s2 walk_cycles walk_cycles_p50 walk_cycles_p90 walk_cycles_p99 \
	s1_faults s2_faults table_pages_s1 table_pages_s2 translation_cycles s2_mapped_4k s2_mapped_16k \
	s2_mapped_64k s2_mapped_2m s2_mapped_32m s2_mapped_512m s2_mapped_1g s2_mapped_16g s2_mapped_64g \
	s2_mapped_512g s2_mapped_4t; do
	expect "statistic $name" 0 '' grep -qx "$name" "$work/names"
done
for key in stage1.granule stage1.va_bits stage2.granule stage2.ipa_bits stage2.start_level guest.pages \
	host.backing host.block_rule tlb.l1i.entries tlb.l1d.ways tlb.l2.page_sizes tlb.l2.hit_cycles \
	tlb.l1i.replacement walk_cache.s1.entries walk_cache.s2.entries seed; do
	expect "parameter $key" 0 "^$key: " "$TWOSTAGE" list params
done

# The same numbers from every compiler, and twice.
for program in "$TWOSTAGE" "$TWOSTAGE_FAST" "$TWOSTAGE_CLANG"; do
	"$program" run --json -c cortex-a57 "$t" "$work/raw.s2t" >"$work/json.$(basename "$(dirname "$program")")"
done
expect 'gcc = clang' 0 '' cmp "$work/json.build-gcc" "$work/json.build-clang"
expect 'gcc = gcc with sanitizers' 0 '' cmp "$work/json.build-gcc" "$work/json.build-asan"

expect 'misspelt option' 65 "^--set stage2.ipa_bit=40: error: unknown parameter .*did you mean 'stage2.ipa_bits'\?" \
	"$TWOSTAGE" run --set stage2.ipa_bit=40 "$t"
expect 'wrong type' 65 "^--set seed=x: error: seed: 'x' is not a whole number" "$TWOSTAGE" run -s seed=x "$t"
expect 'out of range' 65 'error: .*expected 32 to 52 bits' "$TWOSTAGE" run -s stage2.ipa_bits=31 "$t"
expect 'no value' 65 'expected KEY=VALUE' "$TWOSTAGE" run -s seed "$t"
expect 'impossible core' 65 'twostage: error: .*16K' "$TWOSTAGE" run -c cortex-a57 -s stage2.granule=16K "$t"
expect 'too little host memory' 65 'host memory exhausted: .*host.memory' "$TWOSTAGE" run -s host.memory=1M "$t"
expect 'hugetlb pool too small' 65 'the host has [0-9] free pages of 2.30 bytes, guest.memory wants 8 ' "$TWOSTAGE" run \
	-s host.backing=1G -s guest.memory=8G -s host.hugetlb_pool=reserved -s host.memory=16G -s host.fragmentation=500 "$t"
expect 'hugetlb pool' 0 's2_mapped_1g +[1-9]' "$TWOSTAGE" run \
	-s host.backing=1G -s guest.memory=8G -s host.hugetlb_pool=reserved -s host.memory=16G "$t"
expect 'no trace' 64 'which trace' "$TWOSTAGE" run
expect 'no such trace' 66 'nothing.s2t' "$TWOSTAGE" run "$work/nothing.s2t"
expect 'no such model' 66 "did you mean 'cortex-a5[37]'\?" "$TWOSTAGE" run -c cortex-a58 "$t"
head -c 5000 "$t" >"$work/cut.s2t"
expect 'cut trace' 65 'cut.s2t' "$TWOSTAGE" run "$work/cut.s2t"
expect 'wrong form for the policy' 65 'srrip' "$TWOSTAGE" run -s tlb.l1d.replacement=srrip "$t"
expect 'right form for the policy' 0 'l1d_tlb_misses' "$TWOSTAGE" run -s tlb.l1d.replacement=srrip "$work/raw.s2t"

# Foreign traces: the form follows the policies.
printf ' L 1000,8\n S 2000,4\nI  400000,4\n L 1000,8\n' >"$work/t.lackey"
expect 'foreign trace' 0 '^  accesses +4 accesses$' "$TWOSTAGE" run "$work/t.lackey"
expect 'foreign trace, raw' 0 '^  accesses +4 accesses$' "$TWOSTAGE" run -s tlb.l2.replacement=srrip \
	--from lackey "$work/t.lackey"
expect 'unknown importer' 64 'lakey' "$TWOSTAGE" run --from lakey "$work/t.lackey"
finish
