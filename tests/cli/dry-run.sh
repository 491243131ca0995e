#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage sweep --dry-run`: states with reasons, what points share, time and memory, by the rules of docs/config.md.
. tests/lib.sh
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
expect 'each with two IPA sizes' 0 '^\[2\]$' sh -c '"$TWOSTAGE" sweep -n --json s.yaml | jq -c "[.groups[].points] | unique"'
expect 'groups as text' 0 "^t2.s2t: 8 points to run: 4 replay the trace, 4 the L1 TLBs' misses of another, 0 also with its tables, 0 also" "$TWOSTAGE" sweep -n s.yaml
expect 'groups as JSON' 0 '^\[1,0,0\]$' sh -c '"$TWOSTAGE" sweep -n --json s.yaml | jq -c ".groups[0] | [.misses_shared, .tables_shared, .walks_shared]"'
expect 'impossible ones with their reasons' 0 '^ +4 +impossible .*ipa_bits=52.*: stage 2 with 4K granule and 52-bit' "$TWOSTAGE" sweep -n s.yaml
expect 'also in JSON' 0 '^8 true$' sh -c '"$TWOSTAGE" sweep -n --json s.yaml | jq -r "\"\(.impossible | length) \([.impossible[].reason | length > 0] | all)\""'

# Four points of each trace replay it, four share: those cost less, but something.
r1=$(records t1.s2t) r2=$(records t2.s2t)
lead=$((4 * (r1 + r2) / 3)) now=$(stat processor_micros)
expect "time by the rates: $now, $lead for half of the points" 0 '' test "$now" -gt $((lead + lead / 64)) -a "$now" -lt $((lead + lead * 3 / 4))
expect 'on two processors' 0 "^$((now / 2))\$" stat wall_micros 2
longest=$(stat wall_micros 1000)
expect "no shorter than the longest point: $longest" 0 '' test "$longest" -ge $((r2 / 3)) -a "$longest" -le $((r2 / 3 + 64))
# 64 MiB at 2 MiB a table page, both stages; the program's code may lie elsewhere.
expect 'tables' 0 '^(262144|270336)$' stat table_bytes
expect 'memory of a worker' 0 "^$(((64 + 128) * 1048576 + $(stat table_bytes)))\$" stat worker_bytes
expect 'nothing was written' 0 '^s.yaml t1.s2t t2.s2t $' sh -c 'ls | grep -v out | tr "\n" " "'

"$TWOSTAGE_FAST" sweep -o d.db s.yaml >/dev/null || fail 'sweep'
sed 's/40, 44, 52/36, 42, 44, 52/' s.yaml >t.yaml && mv t.yaml s.yaml
cp d.db before.db
mean() {
	sqlite3 d.db "SELECT CAST(avg(wall_micros) AS INTEGER) FROM point JOIN effort USING (\"key\") WHERE trace = '$1' AND model = '$2' AND status = 'ok'"
}
expected=$((4 * ($(mean t1.s2t neoverse-n1) + $(mean t2.s2t neoverse-n1) + $(mean t1.s2t cortex-a57) + $(mean t2.s2t cortex-a57))))
expect 'known points are measured' 0 '^16$' stat measured
expect "time by what the others took: $expected" 0 "^$expected\$" stat processor_micros
expected=$(sqlite3 d.db "SELECT max(table_pages_s1 + table_pages_s2) * 4096 FROM point")
expect 'tables as of the others' 0 "^$expected\$" stat table_bytes
expect 'as text' 0 'with 2 workers \(16 points as those of their trace in the database took\)' "$TWOSTAGE" sweep -n -j 2 -o d.db s.yaml
expect 'the database is as it was' 0 '' cmp d.db before.db
# A model that the database lacks is taken to be as the others of the trace.
sed 's/cortex-a57/cortex-a72/' s.yaml >t.yaml
# 36, 42 and 44 bits with two TLBs: the N1 has 44 already, none has 52.
expect 'another model' 0 '^24$' sh -c '"$TWOSTAGE" sweep -n --json -o none.db t.yaml | jq .stats.to_run'
expect 'is measured, too' 0 '^20 20$' sh -c '"$TWOSTAGE" sweep -n --json -o d.db t.yaml | jq -r "\"\(.stats.to_run) \(.stats.measured)\""'

printf 'name: alone\nmodels: neoverse-n1\ntraces: [t1.s2t, t2.s2t]\nset: { interval.instructions: 10000 }\naxes: { stage2.ipa_bits: [36, 40] }\n' >s.yaml
expect 'intervals share nothing' 0 '^t1.s2t: 2 points to run: 2 replay the trace, 0 ' "$TWOSTAGE" sweep -n s.yaml
rm d.db
expect 'and cost all their records' 0 "^$((2 * (r1 / 3 + r2 / 3)))\$" stat processor_micros
printf 'name: deep\nmodels: neoverse-n1\ntraces: t1.s2t\naxes: { host.backing: [4K, 2M], tlb.l2.entries: [640, 1280], cache.l2.hit_cycles: [8, 9, 10] }\n' >s.yaml
expect 'what points share' 0 "^t1.s2t: 12 points to run: 1 replay the trace, 1 the L1 TLBs' misses of another, 2 also with its tables, 8 also with its walks" \
	"$TWOSTAGE" sweep -n s.yaml
finish
