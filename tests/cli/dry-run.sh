#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage sweep --dry-run`: states with reasons, what points share, time and memory, by the rules of docs/config.md.
. tests/lib.sh
root=$PWD
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"
cd "$work" || exit 70
for seed in 1 2; do
	"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 64M --accesses ${seed}0000 --seed $seed -o t$seed.s2t || fail 'trace gen'
done
records() {
	"$TWOSTAGE_FAST" trace info --json "$1" | jq .stats.records
}
# plan OPTION... - the plan of the spec, into plan.json and, as text, plan
plan() {
	"$TWOSTAGE_FAST" sweep -n --json "$@" s.yaml >plan.json && "$TWOSTAGE_FAST" sweep -n "$@" s.yaml >plan || fail "plan $*"
}
# told NAME PATTERN FILTER - what jq takes from the plan
told() {
	expect "$1" 0 "$2" jq -rc "$3" plan.json
}
# soon NAME COMMAND... - for times that are measured: what a machine is busy with for a moment spoils one try of five,
# a forecast that is wrong all of them; the command leaves in $tried what it saw
soon() {
	name=$1
	shift
	for _ in 1 2 3 4 5; do
		"$@" && pass "$name" && return
	done
	fail "$name: $tried"
}

cat >s.yaml <<'EOF'
name: plan
models: [neoverse-n1, cortex-a57]
traces: [t1.s2t, t2.s2t]
axes:
  stage2.ipa_bits: [40, 44, 52]
  tlb.l1d.entries: [16, 32]
EOF
plan
told 'groups: two traces, two L1 TLBs of each of two models' '^8$' .stats.groups
told 'each with two IPA sizes' '^\[2\]$' '[.groups[].points] | unique'
expect 'groups as text' 0 "^t2.s2t: 8 points to run: 4 replay the trace, 4 the L1 TLBs' misses of another, 0 also with its tables, 0 also" "$TWOSTAGE" sweep -n s.yaml
told 'groups as JSON' '^\[1,0,0\]$' '.groups[0] | [.misses_shared, .tables_shared, .walks_shared]'
expect 'impossible ones with their reasons' 0 '^ +4 +impossible .*ipa_bits=52.*: stage 2 with 4K granule and 52-bit' cat plan
told 'also in JSON' '^8 true$' '"\(.impossible | length) \([.impossible[].reason | length > 0] | all)"'

expect 'where the time comes from' 0 '^  of one point alone: for 16 from a probe$' cat plan
# Eight groups, of which four of each trace are probed: all.
expect 'what was probed' 0 '^  probed just now: 8 of 8 groups, [0-9.]+ million records, ' cat plan
told 'in JSON' '^16 8 true$' '.stats | "\(.probed) \(.probes) \(.probe_records > 0)"'
# 64 MiB at 2 MiB a table page, both stages; the program's code may lie elsewhere.
told 'tables' '^(262144|270336)$' .stats.table_bytes
told 'memory of a worker' '^true$' ".stats | .worker_bytes == (64 + 128) * 1048576 + .table_bytes"
# The program with its buffers, tables and what goes with them, and recordings: of each miss, 16 bytes at least.
told 'what to expect of it' '^true$' '.stats | .expected_bytes > 16 * 1048576 + 1.75 * .table_bytes + 16 * 15000 and .expected_bytes < .worker_bytes / 2'
plan -j 1
told 'with one worker: no shorter than all of it' '^true$' '.stats | .wall_micros == .processor_micros'
plan -j 1000
told 'with many: no shorter than one point' '^true$' '.stats | .wall_micros < .processor_micros and .wall_micros * 16 > .processor_micros'
expect 'nothing was written' 0 '^plan plan.json s.yaml t1.s2t t2.s2t $' sh -c 'ls | grep -v out | tr "\n" " "'

"$TWOSTAGE_FAST" sweep -o d.db s.yaml >/dev/null || fail 'sweep'
sed 's/40, 44, 52/36, 42, 44, 52/' s.yaml >t.yaml && mv t.yaml s.yaml
# Another machine might have taken as long as this.
sqlite3 d.db 'UPDATE effort SET wall_micros = 5000000; UPDATE effort SET wall_micros = 7000000
	WHERE key = (SELECT key FROM point WHERE model = '"'cortex-a57'"' AND status = '"'ok'"' LIMIT 1)' || fail 'effort'
cp d.db before.db
plan -j 1 -o d.db
told 'known points are measured' '^16$' .stats.measured
expected=$(sqlite3 d.db "SELECT max(table_pages_s1 + table_pages_s2) * 4096 FROM point")
told 'tables as of the others' "^$expected\$" .stats.table_bytes
expect 'as text' 0 '^  of one point alone: for 16 as the database has it of their trace$' cat plan
# Of 16 points half share the misses of another, which takes a part of their time that is probed; one trace of the cortex-a57 is slower.
by_the_others() {
	tried=$("$TWOSTAGE_FAST" sweep -n --json -j 1 -o d.db s.yaml | jq .stats.processor_micros)
	test "${tried:-0}" -gt 42000000 -a "${tried:-0}" -lt 150000000
}
soon 'time by what the others took' by_the_others
expect 'the database is as it was' 0 '' cmp d.db before.db
# A model that the database lacks is taken to be as the others of the trace.
sed 's/cortex-a57/cortex-a72/' s.yaml >t.yaml && mv t.yaml s.yaml
# 36, 42 and 44 bits with two TLBs: the N1 has 44 already, none has 52.
plan -o none.db
told 'another model' '^24$' .stats.to_run
plan -o d.db
told 'is measured, too' '^20 20$' '.stats | "\(.to_run) \(.measured)"'

printf 'name: alone\nmodels: neoverse-n1\ntraces: [t1.s2t, t2.s2t]\nset: { interval.instructions: 10000 }\naxes: { stage2.ipa_bits: [36, 40] }\n' >s.yaml
plan
expect 'intervals share nothing' 0 '^t1.s2t: 2 points to run: 2 replay the trace, 0 ' cat plan
expect 'nor keep recordings' 0 'at most 64M a point, at most 0B of recordings' cat plan
printf 'name: deep\nmodels: neoverse-n1\ntraces: t1.s2t\naxes: { host.backing: [4K, 2M], tlb.l2.entries: [640, 1280], cache.l2.hit_cycles: [8, 9, 10] }\n' >s.yaml
expect 'what points share' 0 "^t1.s2t: 12 points to run: 1 replay the trace, 1 the L1 TLBs' misses of another, 2 also with its tables, 8 also with its walks" \
	"$TWOSTAGE_FAST" sweep -n s.yaml

# A trace whose events cannot be replayed twice, one whose guest is too small: no forecast fails.
printf 'vcpu,vm,asid,el,kind,va,size\n0,0,1,0,load,0x1000,8\n' >one.csv
"$TWOSTAGE_FAST" trace convert -g page one.csv -o one.s2t || fail 'trace convert'
printf 'name: one\nmodels: neoverse-n1\ntraces: [one.s2t, t1.s2t]\nset: { guest.memory: 4M }\n' >s.yaml
expect 'what does not run is not probed' 0 '^  of one point alone: for 1 from a probe, for 1 guessed from records and keys of the trace$' "$TWOSTAGE" sweep -n s.yaml
"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 64M --accesses 100000 --seed 1 -o t1.s2t || fail 'trace gen'
a_share() {
	for period in none 2000000; do
		printf 'name: p\nmodels: neoverse-n1\ntraces: t1.s2t\nset: { sample.period: %s, sample.warm: 9000 }\n' $period >s.yaml
		"$TWOSTAGE_FAST" sweep -n --json s.yaml | jq .stats.processor_micros
	done >times
	tried=$(paste -s -d ' ' times)
	awk '{ t[NR] = $1 } END { exit !(t[2] > 0 && t[1] > t[2] * 1.5) }' times
}
soon 'samples take their share' a_share

# Against the time that the sweep takes; machines of tests are busy, and their clocks coarse.
micros() {
	sh -c '"$TWOSTAGE_FAST" sweep -j "$1" -o "$2" s.yaml >/dev/null; times' sh "$1" "$2" | tail -n 1 |
		tr 'ms' '  ' | awk '{ printf "%d", (60 * ($1 + $3) + $2 + $4) * 1000000 }'
}
forecast() {
	"$TWOSTAGE_FAST" sweep -n --json -j "$1" -o none.db s.yaml | jq .stats.processor_micros
}
near_now() {
	rm -f near.db
	expected=$(forecast "$1")
	took=$(micros "$1" near.db)
	tried="$expected of $took microseconds"
	test "${expected:-0}" -gt 0 -a "$expected" -lt $((took * 5 / 2)) -a "$took" -lt $((expected * 5 / 2))
}
# near TRACE WORKERS AXES
near() {
	printf 'name: near\nmodels: neoverse-n1\ntraces: %s\naxes: %s\n' "$1" "$3" >s.yaml
	soon "$1 -j $2 $3" near_now "$2"
}
alone='{ tlb.l1d.entries: [16, 32, 48] }'
behind='{ stage2.ipa_bits: [36, 40], stage2.start_level: [auto, 0], tlb.l2.entries: [640, 1280], dram.latency_cycles: [100, 150, 200, 250] }'
"$TWOSTAGE_FAST" trace gen --pattern gups --footprint 256M --accesses 400000 --seed 3 -o g.s2t || fail 'trace gen'
"$TWOSTAGE_FAST" trace gen --pattern zipf --footprint 64M --accesses 1000000 --fetches 3 --seed 4 -o z.s2t || fail 'trace gen'
for trace in g.s2t z.s2t "$root/traces/sqlite.s2t" ${TWOSTAGE_LONG:+"$root"/traces/*.s2t}; do
	near "$trace" 1 "$alone"
	near "$trace" 2 "$behind"
done
finish
