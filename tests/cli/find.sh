#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage sweep --find`: thresholds equal those of the whole grid, few points are run, none twice.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"
cd "$work" || exit 70
for seed in 1 2; do
	"$TWOSTAGE_FAST" trace gen --pattern zipf --footprint ${seed}M --accesses 60000 --seed $seed -o t$seed.s2t || fail 'trace gen'
done
cat >s.yaml <<'EOF'
name: find
models: [neoverse-n1, cortex-a57]
traces: [t1.s2t, t2.s2t]
set: { tlb.l2.ways: 4 }
axes:
  tlb.l2.entries: [4, 8, 12, 16, 24, 32, 40, 50, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024, 1280, 2048, 4096]
  host.backing: [4K, 2M]
EOF
"$TWOSTAGE_FAST" sweep -o grid.db s.yaml >/dev/null || fail 'grid'
find() {
	"$TWOSTAGE_FAST" sweep "$@" s.yaml
}

# The first value at which the condition holds, among those that can be, as the grid has it.
for limit in 6 30 120 10000 0; do
	find -o found.db --find tlb.l2.entries --where "1000 * walks / instructions < $limit" --csv 2>summary |
		awk -F, 'NR > 1 { print $1, $2, $3, $5 }' | sort >found
	sqlite3 -separator ' ' grid.db "SELECT a.model, a.trace, a.\"host.backing\", coalesce(min(b.\"tlb.l2.entries\"), '')
		FROM (SELECT DISTINCT model, trace, \"host.backing\" FROM point) AS a LEFT JOIN point AS b
		ON a.model = b.model AND a.trace = b.trace AND a.\"host.backing\" = b.\"host.backing\" AND
		b.status = 'ok' AND 1000.0 * b.walks / b.instructions < $limit GROUP BY 1, 2, 3" | sort >expected
	expect "walks below $limit per 1000 instructions" 0 '' cmp found expected
	expect 'eight combinations' 0 '^8$' sh -c 'wc -l <found'
done
# 23 values without that of 50 entries: at most 2 and 5 more for each of 8 searches and the first limit.
rm found.db
expect 'few points' 0 '^found.db: 8 searches among 192 points, 8 of which cannot be: ([1-4][0-9]|5[0-6]) run, 0 impossible, 0 there' \
	find -o found.db --find tlb.l2.entries --where '1000 * walks / instructions < 30'
expect 'again: none is run' 0 ': 0 run, 0 impossible, [1-5][0-9] there already, 0 failed' find -o found.db --find tlb.l2.entries --where '1000 * walks / instructions < 30'
expect 'points as of any sweep' 0 'found.db: ok, ' "$TWOSTAGE" db check found.db
expect 'and of the same results' 0 ': 0 new points' "$TWOSTAGE" db merge grid.db found.db
expect 'a later sweep has them' 0 ' ([1-5][0-9]) there already, 0 failed' find -o found.db
expect 'sanitizers, JSON' 0 '"searches":\[\{"model":"neoverse-n1","trace":"t1.s2t","host.backing":"4K","state":"edge","holds_at":"[0-9]+","holds_value":[0-9.]+,"fails_at":"[0-9]+","fails_value":[0-9.]+\}' \
	"$TWOSTAGE" sweep -o found.db --json --find tlb.l2.entries --where '1000 * walks / instructions < 30' s.yaml
expect 'one worker, many workers' 0 '' sh -c 'for j in 1 5; do "$TWOSTAGE_FAST" sweep -j $j -o j$j.db --csv --find tlb.l2.entries --where "walks < 3000" s.yaml >j$j.csv || exit; done; cmp j1.csv j5.csv'

# A condition that becomes false, a choice, a point that its replay refuses.
expect 'from true to false' 0 '^cortex-a57 +t2.s2t +2M +edge +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+' find -o found.db --find tlb.l2.entries --where 'walks > 3000'
expect 'along choices' 0 '^neoverse-n1 +t1.s2t +4096 +edge +2M +0 +4K +[1-9]' find -o found.db --find host.backing --where 's2_mapped_4k <= 0'
printf 'name: memory\nmodels: neoverse-n1\ntraces: t1.s2t\n' >m.yaml
expect 'smallest guest that holds the program' 0 '^neoverse-n1 +t1.s2t +edge +[0-9]+M +60000 +[0-9]+M +-$' \
	"$TWOSTAGE" sweep -o m.db m.yaml --find 'guest.memory=1M..1G:x2' --where 'accesses > 0'
expect 'where tables get a level' 0 '^neoverse-n1 +t1.s2t +edge +44 +0 +43 +1$' \
	"$TWOSTAGE" sweep -o none.db m.yaml --find 'stage2.ipa_bits=32..52' --where 'stage2_start_level < 1'
expect 'which nothing is run for' 1 '' test -e none.db

# Values that cannot be are named with their reasons, once for all searches.
expect 'a refused value' 0 '^tlb.l2.entries=50 cannot be in 8 searches: .*tlb.l2' find -o found.db --find tlb.l2.entries --where 'walks < 1'
expect 'of a search' 0 '^stage2.ipa_bits=50 cannot be in 1 search: ' "$TWOSTAGE" sweep -o none.db m.yaml --find 'stage2.ipa_bits=32..50' --where 'stage2_start_level < 1'
expect 'no possible value: why' 0 '^neoverse-n1 +t1.s2t +impossible +- +- +- +-$' "$TWOSTAGE" sweep -o none.db m.yaml --find 'stage2.ipa_bits=50..52' --where 'stage2_start_level < 1'
expect 'all of them' 0 '^3$' sh -c '"$TWOSTAGE" sweep -o none.db m.yaml --find stage2.ipa_bits=50..52 --where "stage2_start_level < 1" |
	grep -c "^stage2.ipa_bits=5[012] cannot be in 1 search: stage 2 with 4K granule"'
printf 'name: wide\nmodels: neoverse-n1\ntraces: t1.s2t\nset: { stage2.ipa_bits: 52 }\n' >w.yaml
for range in '20..5120:20|20, 40, ... 5120 \(256 values\)' '20..80:20|20, 40, ... 80 \(4 values\)' '20..60:20|20, 40, 60 \(3 values\)' '20..40:20|20, 40'; do
	expect 'values with one reason in one line' 0 "^tlb.l2.entries=${range#*|} cannot be in 1 search: stage 2 with 4K granule" \
		"$TWOSTAGE" sweep -o none.db w.yaml --find "tlb.l2.entries=${range%%|*}" --where 'walks < 1'
done
expect 'as JSON' 0 '^3 52 1$' sh -c '"$TWOSTAGE" sweep -o none.db --json m.yaml --find stage2.ipa_bits=50..52 --where "stage2_start_level < 1" |
	jq -r "\"\(.refused | length) \(.refused[2].value) \(.refused[2].searches)\""'
expect 'one search' 0 '^none.db: 1 search among 3 points, 3 of which' "$TWOSTAGE" sweep -o none.db m.yaml --find 'stage2.ipa_bits=50..52' --where 'stage2_start_level < 1'
expect 'one without the other' 64 'want each other' find --find tlb.l2.entries
expect 'not in slices' 64 'runs here' find --find tlb.l2.entries --where 'walks < 1' --slice 1/2
expect 'misspelt' 65 "^--where 'wolks < 1': error: .*did you mean 'walks'" find --find tlb.l2.entries --where 'wolks < 1'
expect 'no such axis' 65 '^--find tlb.l1d.entries: error: no axis of the spec' find --find tlb.l1d.entries --where 'walks < 1'
expect 'nothing was written' 1 '' test -e results

# Interrupted and repeated.
"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 64M --accesses 2000000 --seed 3 -o t1.s2t
disturb terminate stopped.db 1 "$TWOSTAGE_FAST" sweep -j 1 -o stopped.db --find tlb.l2.entries --where 'walks < 100' s.yaml
expect 'interrupted: status 75' 0 '' test $disturbed -eq 75
expect 'interrupted: what to do' 0 'interrupted; repeat the command to resume' cat disturbed.log
expect 'resumed' 0 ' [1-9][0-9]* there already, 0 failed' find -o stopped.db --find tlb.l2.entries --where 'walks < 100'
finish
