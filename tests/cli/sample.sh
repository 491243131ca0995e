#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Samples from outside: text, JSON, database, report, --confidence of run and sweep, and refusals.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"
command -v jq >/dev/null || fail "jq is missing"
command -v sqlite3 >/dev/null || fail "sqlite3 is missing"

cat >"$work/t.yaml" <<'EOF'
seed: 3
fetches: 1
phases:
  - { pattern: uniform, footprint: 16M, stores: 20, accesses: 600k }
EOF
"$TWOSTAGE" trace gen "$work/t.yaml" -o "$work/t.s2t" || fail "trace gen"
t=$work/t.s2t
set -- -s sample.period=20000 -s sample.length=1000

json() {
	"$TWOSTAGE" run --json "$@" | jq -r "$expression"
}

expect 'estimates as text' 0 '^  walks +[0-9]+ +[0-9]+ +[0-9]+ +[0-9.]+%$' "$TWOSTAGE" run "$@" "$t"
expect 'number of samples' 0 'those of 60 samples, 5 % of the accesses' "$TWOSTAGE" run "$@" "$t"
expect 'too few' 0 '^  tlbis .* too few$' "$TWOSTAGE" run "$@" "$t"
expect 'the warm-up is told' 0 '^note: the intervals do not know whether sample.warm' \
	"$TWOSTAGE" run "$@" -s sample.warm=100 "$t"
expression='[(.samples | length), has("intervals"), .estimates.tlbis.low,
	(.samples | map(.walks) | add) == .stats.walks, (.samples | map(.accesses) | add) == .stats.accesses,
	.estimates.walks.low < .estimates.walks.total, .estimates.walks.total < .estimates.walks.high] | join(" ")'
expect 'JSON' 0 '^60 false  true true true true$' json "$@" "$t"

# The full result lies in the interval; the seed is fixed.
expression=.stats.walks
full=$(json "$t")
expression="[.estimates.walks.low <= $full, $full <= .estimates.walks.high] | join(\" \")"
expect 'the interval holds' 0 '^true true$' json "$@" "$t"

# --confidence: the trace is long enough to skip most of it only with a warm-up that is given.
expression='[.params."sample.period" > 1000, .params."sample.warm",
	100 * (.estimates.walks.high - .estimates.walks.total) <= 5 * .estimates.walks.total] | join(" ")'
expect 'as narrow as wanted' 0 '^true 100 true$' json -s sample.warm=100 -C 5% "$t"
expect 'what was chosen' 0 '^Chosen: sample.period=[0-9]+ sample.length=1000 sample.warm=100; walk_cycles' \
	"$TWOSTAGE" run -s sample.warm=100 --confidence=5%:walk_cycles "$t"
expect 'all of a short trace' 0 '^All of the trace was replayed' "$TWOSTAGE" run -C 1% "$t"
expect 'a period and a confidence' 65 'sample.period, which is set already' "$TWOSTAGE" run -s sample.period=9000 -C 5% "$t"
expect 'no percent' 64 '--confidence 5: PERCENT% or' "$TWOSTAGE" run -C 5 "$t"
expect 'no such statistic' 64 'no statistic that samples estimate' "$TWOSTAGE" run -C 5%:wlaks "$t"
expect 'longer than the period' 65 'sample.length: .* more than a period' \
	"$TWOSTAGE" run -s sample.period=10 "$t"

cat >"$work/s.yaml" <<EOF
name: s
models: neoverse-n1
traces: $t
axes: { sample.period: [none, 20000, 60000], tlb.l2.entries: [1280, 640] }
EOF
db=$work/s.db
expect 'sweep' 0 '6 points: 6 run' "$TWOSTAGE_FAST" sweep "$work/s.yaml" -o "$db"
expect 'check' 0 's.db: ok, 6 points' "$TWOSTAGE" db check "$db"
expect 'estimates as CSV' 0 '^[0-9a-f]{32},neoverse-n1,t.s2t,walks,[0-9]+,[0-9]+,[0-9]+$' \
	"$TWOSTAGE" db estimates "$db"
expect 'no interval' 0 ',tlbis,0,,$' "$TWOSTAGE" db estimates "$db"
expect 'samples as CSV' 0 ',t.s2t,59,' "$TWOSTAGE" db intervals "$db"
# A point of a sweep is what it is alone, though others of the trace were recorded.
expression=.stats.walk_cycles
alone=$(json -c neoverse-n1 -s sample.period=20000 -s tlb.l2.entries=640 "$t")
expect 'nothing is shared' 0 "^$alone\$" sqlite3 "$db" \
	'SELECT walk_cycles FROM point WHERE "sample.period" = 20000 AND "tlb.l2.entries" = 640'
"$TWOSTAGE" db export "$db" >"$work/a.csv"
"$TWOSTAGE" db estimates "$db" >>"$work/a.csv"
"$TWOSTAGE" db merge "$work/m.db" "$db" >/dev/null
"$TWOSTAGE" db export "$work/m.db" >"$work/b.csv"
"$TWOSTAGE" db estimates "$work/m.db" >>"$work/b.csv"
expect 'merged' 0 '' cmp "$work/a.csv" "$work/b.csv"
sqlite3 "$work/m.db" "UPDATE estimates SET high = high + 1 WHERE statistic = 'walks'"
expect 'a changed estimate' 65 'walks is not what the samples tell' "$TWOSTAGE" db check "$work/m.db"

sed -i 's/^axes.*/axes: { stage2.ipa_bits: [40, 44] }/' "$work/s.yaml"
expect 'sweep of a short trace' 0 '^twostage: t.s2t: no samples, all of it is replayed: the samples and their warm-ups' \
	"$TWOSTAGE_FAST" sweep "$work/s.yaml" -o "$work/c.db" --confidence 5%
echo 'set: { sample.warm: 100 }' >>"$work/s.yaml"
expect 'sweep with confidence' 0 '^twostage: t.s2t: sample.period=[0-9]+ sample.length=1000 sample.warm=100' \
	"$TWOSTAGE_FAST" sweep "$work/s.yaml" -o "$work/d.db" --confidence 5%
expect 'same samples' 0 '^1$' sqlite3 "$work/d.db" 'SELECT count(DISTINCT "sample.period") FROM point'
expect 'report' 0 'page/index.html$' "$TWOSTAGE" report -d "$work/d.db" -o "$work/page"
expect 'intervals in figures' 0 ',low 4K granule,high 4K granule,' cat "$work/page/walk-cycles.csv"
expect 'around their points' 0 '^t,40 [0-9]+$' awk -F, 'NR == 2 && $7 < $3 && $3 < $8 { print $1 "," $2, NR }' \
	"$work/page/walk-cycles.csv"

# Each trace has samples of its own; one that is too short for any has none, and the others keep theirs.
"$TWOSTAGE" trace gen --pattern uniform --footprint 16M --accesses 20000 -o "$work/short.s2t" || fail 'trace gen'
"$TWOSTAGE_FAST" trace gen --pattern zipf --footprint 64M --accesses 800000 --fetches 1 -o "$work/other.s2t" || fail 'trace gen'
sed "s|^traces.*|traces: [$work/short.s2t, $t, $work/other.s2t]|; s/^name.*/name: mixed/" "$work/s.yaml" >"$work/mixed.yaml"
mixed=$work/mixed.db
expect 'sweep of several traces' 0 '6 points: 6 run' "$TWOSTAGE_FAST" sweep "$work/mixed.yaml" -o "$mixed" --confidence 5%
cp "$work/out" "$work/told"
expect 'the short one as a whole' 0 '^twostage: short.s2t: no samples, all of it is replayed: ' cat "$work/told"
expect 'the others by samples' 0 '^2$' sh -c 'grep -cE "^twostage: (t|other).s2t: sample.period=[0-9]+ sample.length=1000 sample.warm=100" "$1"' sh "$work/told"
expect 'in the database' 0 '^other.s2t\|1\|1,short.s2t\|1\|0,t.s2t\|1\|1,$' sqlite3 -newline , "$mixed" \
	'SELECT trace, count(DISTINCT "sample.period"), min("sample.period") > 0 FROM point GROUP BY trace ORDER BY trace LIMIT 3'
expect 'check of both' 0 'mixed.db: ok, 6 points' "$TWOSTAGE" db check "$mixed"
expect 'estimates of the sampled ones alone' 0 '^other.s2t,t.s2t,$' sqlite3 -newline , "$mixed" \
	'SELECT DISTINCT trace FROM point JOIN estimates USING (key) ORDER BY trace'
# The whole trace is the point that `run` gives, under the same key as in a sweep without samples.
alone=$("$TWOSTAGE" run --json -c neoverse-n1 -s sample.warm=100 "$work/short.s2t" | jq .stats.walk_cycles)
expect 'a whole trace counts as alone' 0 "^$alone\$" sqlite3 "$mixed" \
	"SELECT walk_cycles FROM point WHERE trace = 'short.s2t' AND \"stage2.ipa_bits\" = 40"
"$TWOSTAGE_FAST" sweep "$work/mixed.yaml" -o "$work/full.db" >/dev/null || fail 'full sweep'
expect 'its points are those of a sweep without samples' 0 ' 4 new points' "$TWOSTAGE" db merge --points "$work/full.db" "$mixed"
expect 'report of both' 0 'page2/index.html$' "$TWOSTAGE" report -d "$mixed" -o "$work/page2"
# A row for each trace and IPA size, in which the walk cycles of the whole one have no interval.
expect 'all traces in one figure' 0 '^6 2 4$' sh -c 'awk -F, "
	NR == 1 { for (i = 1; i <= NF; i++) if (\$i ~ /^low 4K/) low = i }
	NR > 1 { rows++; if (\$1 == \"short\" && \$low == \"\") without++; if (\$1 != \"short\" && \$low != \"\") with++ }
	END { print rows, without, with }" "$1"' sh "$work/page2/walk-cycles.csv"
echo 'set: { sample.period: 9000 }' | cat - "$work/s.yaml" | sed '$d' >"$work/e.yaml"
expect 'a spec with samples' 65 'sample.period, which is set already' \
	"$TWOSTAGE" sweep "$work/e.yaml" -o "$work/e.db" --confidence 5%
expect 'not with slices' 64 'on a cluster set sample.period' \
	"$TWOSTAGE" sweep "$work/s.yaml" --slice 1/2 --confidence 5%
finish
