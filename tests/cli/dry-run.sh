#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage sweep --dry-run`: states with reasons, what points share, time and memory, by the rules of docs/config.md.
. tests/lib.sh
root=$PWD
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"
cd "$work" || exit 70
for seed in 1 2; do
	"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 64M --accesses ${seed}00000 --seed $seed -o t$seed.s2t || fail 'trace gen'
done
records() {
	"$TWOSTAGE_FAST" trace info --json "$1" | jq .stats.records
}
stat() {
	"$TWOSTAGE_FAST" sweep -n --json -j "${2:-1}" -o d.db s.yaml | jq ".stats.$1"
}

cat >s.yaml <<'EOF'
name: plan
models: [neoverse-n1, cortex-a57]
traces: [t1.s2t, t2.s2t]
axes:
  stage2.ipa_bits: [40, 44, 52]
  tlb.l1d.entries: [16, 32]
EOF
expect 'groups: two traces, two L1 TLBs of each of two models' 0 '^8$' stat groups
expect 'each with two IPA sizes' 0 '^\[2\]$' sh -c '"$TWOSTAGE_FAST" sweep -n --json s.yaml | jq -c "[.groups[].points] | unique"'
expect 'groups as text' 0 "^t2.s2t: 8 points to run: 4 replay the trace, 4 the L1 TLBs' misses of another, 0 also with its tables, 0 also" "$TWOSTAGE" sweep -n s.yaml
expect 'groups as JSON' 0 '^\[1,0,0\]$' sh -c '"$TWOSTAGE_FAST" sweep -n --json s.yaml | jq -c ".groups[0] | [.misses_shared, .tables_shared, .walks_shared]"'
expect 'impossible ones with their reasons' 0 '^ +4 +impossible .*ipa_bits=52.*: stage 2 with 4K granule and 52-bit' "$TWOSTAGE_FAST" sweep -n s.yaml
expect 'also in JSON' 0 '^8 true$' sh -c '"$TWOSTAGE_FAST" sweep -n --json s.yaml | jq -r "\"\(.impossible | length) \([.impossible[].reason | length > 0] | all)\""'

expect 'where the time comes from' 0 '^  of one point alone: for 16 from a probe$' "$TWOSTAGE_FAST" sweep -n s.yaml
# Eight groups, of which four of each trace are probed: all.
expect 'what was probed' 0 '^  probed just now: 8 of 8 groups, [0-9.]+ million records, ' "$TWOSTAGE_FAST" sweep -n s.yaml
expect 'in JSON' 0 '^16 8 true$' sh -c '"$TWOSTAGE_FAST" sweep -n --json s.yaml | jq -r ".stats | \"\(.probed) \(.probes) \(.probe_records > 0)\""'
expect 'with one worker: no shorter than all of it' 0 '^true$' sh -c '"$TWOSTAGE_FAST" sweep -n --json -j 1 s.yaml | jq ".stats | .wall_micros == .processor_micros"'
expect 'with many: no shorter than one point' 0 '^true$' sh -c '"$TWOSTAGE_FAST" sweep -n --json -j 1000 s.yaml | jq ".stats | .wall_micros < .processor_micros and .wall_micros * 16 > .processor_micros"'
# 64 MiB at 2 MiB a table page, both stages; the program's code may lie elsewhere.
expect 'tables' 0 '^(262144|270336)$' stat table_bytes
expect 'memory of a worker' 0 "^$(((64 + 128) * 1048576 + $(stat table_bytes)))\$" stat worker_bytes
expect 'nothing was written' 0 '^s.yaml t1.s2t t2.s2t $' sh -c 'ls | grep -v out | tr "\n" " "'

"$TWOSTAGE_FAST" sweep -o d.db s.yaml >/dev/null || fail 'sweep'
sed 's/40, 44, 52/36, 42, 44, 52/' s.yaml >t.yaml && mv t.yaml s.yaml
# Another machine might have taken as long as this.
sqlite3 d.db 'UPDATE effort SET wall_micros = 5000000; UPDATE effort SET wall_micros = 7000000
	WHERE key = (SELECT key FROM point WHERE model = '"'cortex-a57'"' AND status = '"'ok'"' LIMIT 1)' || fail 'effort'
cp d.db before.db
expect 'known points are measured' 0 '^16$' stat measured
# Of 16 points half share the misses of another; one trace of the cortex-a57 is slower.
expect 'time by what the others took' 0 '^true$' sh -c '"$TWOSTAGE_FAST" sweep -n --json -j 1 -o d.db s.yaml | jq ".stats.processor_micros | . > 42000000 and . < 150000000"'
expected=$(sqlite3 d.db "SELECT max(table_pages_s1 + table_pages_s2) * 4096 FROM point")
expect 'tables as of the others' 0 "^$expected\$" stat table_bytes
expect 'as text' 0 '^  of one point alone: for 16 as the database has it of their trace$' "$TWOSTAGE_FAST" sweep -n -j 2 -o d.db s.yaml
expect 'the database is as it was' 0 '' cmp d.db before.db
# A model that the database lacks is taken to be as the others of the trace.
sed 's/cortex-a57/cortex-a72/' s.yaml >t.yaml
# 36, 42 and 44 bits with two TLBs: the N1 has 44 already, none has 52.
expect 'another model' 0 '^24$' sh -c '"$TWOSTAGE_FAST" sweep -n --json -o none.db t.yaml | jq .stats.to_run'
expect 'is measured, too' 0 '^20 20$' sh -c '"$TWOSTAGE_FAST" sweep -n --json -o d.db t.yaml | jq -r "\"\(.stats.to_run) \(.stats.measured)\""'

printf 'name: alone\nmodels: neoverse-n1\ntraces: [t1.s2t, t2.s2t]\nset: { interval.instructions: 10000 }\naxes: { stage2.ipa_bits: [36, 40] }\n' >s.yaml
expect 'intervals share nothing' 0 '^t1.s2t: 2 points to run: 2 replay the trace, 0 ' "$TWOSTAGE_FAST" sweep -n s.yaml
expect 'nor keep recordings' 0 'at most 64M a point, at most 0B of recordings' "$TWOSTAGE_FAST" sweep -n s.yaml
printf 'name: deep\nmodels: neoverse-n1\ntraces: t1.s2t\naxes: { host.backing: [4K, 2M], tlb.l2.entries: [640, 1280], cache.l2.hit_cycles: [8, 9, 10] }\n' >s.yaml
expect 'what points share' 0 "^t1.s2t: 12 points to run: 1 replay the trace, 1 the L1 TLBs' misses of another, 2 also with its tables, 8 also with its walks" \
	"$TWOSTAGE_FAST" sweep -n s.yaml

# A trace whose events cannot be replayed twice, one whose guest is too small: no forecast fails.
printf 'vcpu,vm,asid,el,kind,va,size\n0,0,1,0,load,0x1000,8\n' >one.csv
"$TWOSTAGE_FAST" trace convert -g page one.csv -o one.s2t || fail 'trace convert'
printf 'name: one\nmodels: neoverse-n1\ntraces: [one.s2t, t1.s2t]\nset: { guest.memory: 4M }\n' >s.yaml
expect 'what does not run is not probed' 0 '^  of one point alone: for 1 from a probe, for 1 guessed from records and keys of the trace$' "$TWOSTAGE" sweep -n s.yaml
expect 'samples take their share' 0 '^true$' sh -c '
	for period in none 2000000; do
		printf "name: p\nmodels: neoverse-n1\ntraces: t1.s2t\nset: { sample.period: $period, sample.warm: 9000 }\n" >s.yaml
		"$TWOSTAGE_FAST" sweep -n --json s.yaml | jq .stats.processor_micros
	done | jq -s ".[0] > .[1] * 1.5"'

# Against the time that the sweep takes; machines of tests are busy, and their clocks coarse.
micros() {
	sh -c '"$TWOSTAGE_FAST" sweep -j "$1" -o "$2" s.yaml >/dev/null; times' sh "$1" "$2" | tail -n 1 |
		tr 'ms' '  ' | awk '{ printf "%d", (60 * ($1 + $3) + $2 + $4) * 1000000 }'
}
forecast() {
	"$TWOSTAGE_FAST" sweep -n --json -j "$1" -o none.db s.yaml | jq .stats.processor_micros
}
# near TRACE WORKERS AXES
near() {
	printf 'name: near\nmodels: neoverse-n1\ntraces: %s\naxes: %s\n' "$1" "$3" >s.yaml
	rm -f near.db
	expected=$(forecast "$2")
	took=$(micros "$2" near.db)
	expect "$1 -j $2 $3: $expected of $took microseconds" 0 '' test "$expected" -lt $((took * 5 / 2)) -a "$took" -lt $((expected * 5 / 2))
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
