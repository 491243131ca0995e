#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage sweep` and `twostage db`: plans, any number of workers, interruption, two at once, full disk.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}" "${TWOSTAGE_CLANG:?}"
for seed in 1 2; do
	"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 256M --accesses 30000 --fetches 1 \
		--seed $seed -o "$work/t$seed.s2t" || fail 'trace gen'
done
cat >"$work/s.yaml" <<'EOF'
name: small
models: [neoverse-n1, cortex-a57]
traces: [t1.s2t, t2.s2t]
set: { host.backing: 2M }
zip: { stage1.granule: [4K, 64K], stage2.granule: [4K, 64K] }
axes:
  stage2.ipa_bits: [40, 44, 52]
  host.block_rule: [v10, relaxed]
EOF
cd "$work" || exit 70

expect 'dry run' 0 '^48 points .*: 0 there already, 16 impossible, 32 to run, 1920000 accesses' \
	"$TWOSTAGE" sweep --dry-run s.yaml
expect 'a dry run writes nothing' 1 '' test -e results
expect 'dry run as JSON' 0 '^32$' sh -c '"$TWOSTAGE" sweep -n --json s.yaml | jq .stats.to_run'
expect 'default place' 0 '^results/small.db: 48 points: 32 run, 16 impossible, 0 there' "$TWOSTAGE_FAST" sweep s.yaml
expect 'again: nothing to do' 0 ': 48 points: 0 run, 0 impossible, 48 there already' "$TWOSTAGE" sweep s.yaml
expect 'one worker' 0 '' "$TWOSTAGE_FAST" sweep -j 1 -o one.db s.yaml
expect 'many workers' 0 '' "$TWOSTAGE_FAST" sweep -j 5 -o five.db s.yaml
expect 'clang' 0 '' "$TWOSTAGE_CLANG" sweep -j 2 -o clang.db s.yaml
expect 'sanitizers, JSON' 0 '^\{"schema":1,"params":\{"sweep":"small",.*"stats":.*"run":32,' "$TWOSTAGE" sweep -j 3 --json -o asan.db s.yaml
for db in one five clang asan; do
	expect "check of $db" 0 "^$db.db: ok, 48 points" "$TWOSTAGE" db check $db.db
	"$TWOSTAGE" db export $db.db >$db.csv
	expect "$db equals one worker's" 0 '' cmp one.csv $db.csv
done
expect 'info' 0 '^  small +48 points, 48 of them done' "$TWOSTAGE" db info one.db
expect 'info as JSON' 0 '^48$' sh -c '"$TWOSTAGE" db info --json one.db | jq ".sweeps[0].points"'
expect 'rows of CSV' 0 '^49$' sh -c 'wc -l <one.csv'
expect 'why impossible' 0 'cortex-a57,t1.s2t,.*,impossible,.*52' cat one.csv
expect 'one file remains' 0 '^asan.db$' sh -c 'ls asan.db*'

# A point of a sweep is what `run` says.
expression='[.stats.walks, .stats.walk_cycles] | join(",")'
run=$("$TWOSTAGE" run --json -c cortex-a57 -s host.backing=2M -s stage2.ipa_bits=44 -s host.block_rule=v10 t2.s2t |
	jq -r "$expression")
row=$(sqlite3 -separator , one.db "SELECT walks, walk_cycles FROM point WHERE model = 'cortex-a57' AND
	trace = 't2.s2t' AND \"stage2.ipa_bits\" = 44 AND \"stage2.granule\" = '4K' AND \"host.block_rule\" = 'v10'")
expect "sweep ($row) = run ($run)" 0 '' test "$run" = "$row"

# Interruption: by signal, then by SIGKILL at many moments (in tests/crash/kill.sh, too), then two at once.
sed -e 's/name: small/name: large/' -e '/ipa_bits/s/\[.*/[36, 38, 40, 42, 44]/' s.yaml >large.yaml
expect 'undisturbed' 0 ' 80 points: 80 run' "$TWOSTAGE_FAST" sweep -j 2 -o whole.db large.yaml
"$TWOSTAGE" db export whole.db >whole.csv
disturb terminate stopped.db 5 "$TWOSTAGE_FAST" sweep -j 2 -o stopped.db large.yaml
expect 'interrupted: status 75' 0 '' test $disturbed -eq 75
expect 'interrupted: what to do' 0 'interrupted; repeat the command to resume' cat disturbed.log
expect 'interrupted: something is kept' 0 'ok, ([5-9]|[1-9][0-9]+) points' "$TWOSTAGE" db check stopped.db
expect 'resumed' 0 ' ([5-9]|[1-9][0-9]+) there already, 0 failed' "$TWOSTAGE_FAST" sweep -j 2 -o stopped.db large.yaml
"$TWOSTAGE" db export stopped.db >stopped.csv
expect 'resumed equals undisturbed' 0 '' cmp whole.csv stopped.csv

if [ -n "${TWOSTAGE_LONG:-}" ]; then
	for round in $(seq 200); do
		"$TWOSTAGE_FAST" sweep -j 2 -o killed.db large.yaml >/dev/null 2>&1 &
		sleep 0.$((round * 37 % 100 + 100))
		kill -KILL $! 2>/dev/null
		wait $! 2>/dev/null
		[ -s killed.db ] || continue
		"$TWOSTAGE_FAST" db check killed.db >check.log 2>&1 || grep -q 'is empty: what made it was stopped' check.log ||
			fail "round $round of kill -9: $(cat check.log)"
	done
	expect 'after kill -9' 0 '' "$TWOSTAGE_FAST" sweep -j 2 -o killed.db large.yaml
	"$TWOSTAGE" db export killed.db >killed.csv
	expect 'after kill -9 equals undisturbed' 0 '' cmp whole.csv killed.csv
fi

"$TWOSTAGE_FAST" sweep -j 1 -o both.db large.yaml >a.log 2>&1 &
a=$!
"$TWOSTAGE_FAST" sweep -j 1 -o both.db large.yaml >b.log 2>&1
expect 'two at once: the one' 0 '' test $? -eq 0
wait $a
expect 'two at once: the other' 0 '' test $? -eq 0
"$TWOSTAGE" db export both.db >both.csv
expect 'two at once equals undisturbed' 0 '' cmp whole.csv both.csv

# A database that was made from the schema. That a sweep waits for one that is locked is in tests/crash/disk.sh.
"$TWOSTAGE" db schema | sqlite3 made.db
expect 'made from the schema' 0 ' 32 run' "$TWOSTAGE_FAST" sweep -j 2 -o made.db s.yaml

# A foreign database is left as it is.
sqlite3 foreign.db 'CREATE TABLE t (a); INSERT INTO t VALUES (1)'
cp foreign.db foreign.copy
expect 'foreign database' 65 'foreign.db: an SQLite database, but not' "$TWOSTAGE" sweep -o foreign.db s.yaml
expect 'foreign database is untouched' 0 '' cmp foreign.db foreign.copy

# A worker that dies costs its point only. Points long enough to be hit in the middle.
"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 64M --accesses 1500000 --seed 3 -o slow.s2t ||
	fail 'trace gen'
printf 'name: slow\nmodels: neoverse-n1\ntraces: slow.s2t\naxes: { stage2.ipa_bits: [36, 38, 40, 42, 44, 46] }\n' >slow.yaml
kill_worker() {
	worker=$(pgrep -P "$1" | head -n 1)
	[ -z "$worker" ] || kill -KILL "$worker" 2>/dev/null
}
disturb kill_worker died.db 1 "$TWOSTAGE_FAST" sweep -j 2 -o died.db slow.yaml
expect 'dead worker: status 70' 0 '' test $disturbed -eq 70
expect 'dead worker: which point' 0 'the worker died of signal 9 .*\(point: .*stage2.ipa_bits=' cat disturbed.log
expect 'dead worker: the rest is there' 0 ' 1 failed' cat disturbed.log
expect 'dead worker: repeated' 0 ' 1 run, 0 impossible, 5 there' "$TWOSTAGE_FAST" sweep -o died.db slow.yaml

# A database that is taken away while a sweep writes it: no success.
take_away() {
	mv gone.db elsewhere.db
}
disturb take_away gone.db 1 "$TWOSTAGE_FAST" sweep -j 1 -o gone.db slow.yaml
expect 'removed meanwhile: status 74' 0 '' test $disturbed -eq 74
expect 'removed meanwhile: says so' 0 'gone.db: was removed, renamed or replaced' cat disturbed.log
rm -f gone.db* elsewhere.db*

# Places that cannot be written.
expect 'no such folder' 74 'no/such/x.db: unable to open' "$TWOSTAGE" sweep -o no/such/x.db s.yaml
expect 'folder without write access' 74 '/proc/x.db: unable to open' "$TWOSTAGE" sweep -o /proc/x.db s.yaml
expect 'full disk' 74 'full.db: ' sh -c 'ulimit -f 160; "$TWOSTAGE_FAST" sweep -j 1 -o full.db large.yaml'
expect 'after a full disk: sound' 0 'full.db: ok, [1-9]' "$TWOSTAGE" db check full.db
expect 'after a full disk: resumed' 0 ' 0 failed' "$TWOSTAGE_FAST" sweep -o full.db large.yaml
"$TWOSTAGE" db export full.db >full.csv
expect 'after a full disk equals undisturbed' 0 '' cmp whole.csv full.csv
(ulimit -f 1 && trap '' XFSZ && "$TWOSTAGE" db export one.db >limited.csv 2>limited.log)
expect 'export to a full disk: status 74' 0 '' test $? -eq 74

# More traces than files may be open at first.
expect 'many traces' 0 ' 1 point: 1 run' sh -c 'ulimit -S -n 20; for i in $(seq 40); do ln t1.s2t "many$i.s2t"; done
	echo "{ name: many, models: neoverse-n1, traces: [$(seq -s, -f many%g.s2t 40)] }" >many.yaml; "$TWOSTAGE" sweep -o many.db many.yaml'

# Specs that are wrong.
sed 's/ipa_bits: /ipa_bit: /' s.yaml >w.yaml
expect 'misspelt axis' 65 "^w.yaml:7:3: error: unknown parameter .*did you mean 'stage2.ipa_bits'" "$TWOSTAGE" sweep w.yaml
sed 's/40, 44/40, 99/' s.yaml >w.yaml
expect 'out of range' 65 '^w.yaml:7:25: error: .*expected 32 to 52 bits' "$TWOSTAGE" sweep w.yaml
sed 's/relaxed/relaxd/' s.yaml >w.yaml
expect 'misspelt value' 65 "^w.yaml:8:26: error: .*did you mean 'relaxed'" "$TWOSTAGE" sweep w.yaml
sed 's/t2.s2t/t3.s2t/' s.yaml >w.yaml
expect 'no such trace' 66 '^w.yaml:3:18: error: ' "$TWOSTAGE" sweep w.yaml
expect 'no such spec' 66 'nothing.yaml' "$TWOSTAGE" sweep nothing.yaml
expect 'strange workers' 64 'a number from 1' "$TWOSTAGE" sweep -j 0 s.yaml
printf 'name: cut\nmodels: neoverse-n1\ntraces: cut.s2t\n' >w.yaml
head -c 10000 t1.s2t >cut.s2t
expect 'cut trace' 65 'cut.s2t' "$TWOSTAGE" sweep w.yaml
printf 'name: x\nmodels: neoverse-n1\ntraces: t1.s2t\naxes: { tlb.l1d.replacement: [lru, srrip] }\n' >w.yaml
expect 'policy that page runs cannot serve' 0 ' 1 run, 1 impossible' "$TWOSTAGE" sweep -o policy.db w.yaml

# Merging.
expect 'merge' 0 'merged.db: 48 new points from one.db' "$TWOSTAGE" db merge merged.db one.db
expect 'merge more' 0 'merged.db: 0 new points from five.db' "$TWOSTAGE" db merge merged.db five.db whole.db
"$TWOSTAGE" db merge m1.db whole.db one.db >/dev/null
"$TWOSTAGE" db merge m2.db one.db whole.db >/dev/null
"$TWOSTAGE" db export m1.db >m1.csv
"$TWOSTAGE" db export m2.db >m2.csv
expect 'order of merging' 0 '' cmp m1.csv m2.csv
sqlite3 five.db 'UPDATE point SET walks = walks + 1 WHERE walks > 0'
expect 'different results' 65 'merged.db and five.db have different results of point' "$TWOSTAGE" db merge merged.db five.db
expect 'tampered counters' 65 'point [0-9a-f]{32}: error: .*does not hold' "$TWOSTAGE" db check five.db
expect 'names the file' 65 '^five.db: point ' "$TWOSTAGE" db check merged.db five.db
expect 'merge into itself' 64 'merged.db: cannot be merged into itself' "$TWOSTAGE" db merge merged.db ./merged.db
: >empty.db
expect 'merge of what was stopped before its first point' 0 'merged.db: 0 new points from empty.db' "$TWOSTAGE" db merge merged.db empty.db one.db
expect 'merge of nothing' 66 'none.db: no such file' "$TWOSTAGE" db merge merged.db none.db
expect 'no name' 64 'argument 3 is empty: a name' "$TWOSTAGE" sweep -o '' s.yaml
# Names that SQLite would take for a database in memory, or for a URI.
for strange in :memory: 'file:x.db?mode=memory'; do
	expect "$strange" 0 ' 48 new points' "$TWOSTAGE" db merge "$strange" one.db
	expect "$strange is a file" 0 ': ok, 48 points' "$TWOSTAGE" db check "./$strange"
	expect "$strange can be merged" 0 '48 new points' "$TWOSTAGE" db merge ":$strange" "$strange"
done
# damage WHY SQL - `db check` sees it
damage() {
	cp one.db damaged.db
	sqlite3 damaged.db "$2"
	expect "damage: $2" 65 "damaged.db: .*$1" "$TWOSTAGE" db check damaged.db
}
point="rowid = (SELECT min(rowid) FROM point WHERE walks > 0)"
damage 'is no key of a point' 'UPDATE point SET "key" = "key" || 1'
damage 'walk_reads_s2_l3 = sum over where' "UPDATE point SET reads_s2_l3_l2 = reads_s2_l3_l2 + 1 WHERE $point"
damage 'walks = sum over sizes of leaves' "UPDATE point SET walks_page_pmd = walks_page_pmd + 1 WHERE $point"
damage 'walk_cycles = sum over sizes' "UPDATE point SET walk_cycles = walk_cycles + 1 WHERE $point"
damage 'software_cycles = sum' "UPDATE point SET zero_cycles = zero_cycles + 1 WHERE $point"
damage 'no such table: effort' 'DROP TABLE effort'
expect 'not a database' 65 's.yaml: file is not a database' "$TWOSTAGE" db check s.yaml
expect 'no such database' 66 'nothing.db: no such file' "$TWOSTAGE" db info nothing.db
sqlite3 newer.db 'PRAGMA application_id = 846427239; PRAGMA user_version = 7; CREATE TABLE point (a)'
expect 'newer database' 65 'schema version 7 is newer' "$TWOSTAGE" sweep -o newer.db s.yaml

cd - >/dev/null || exit 70
"$TWOSTAGE" db schema >"$work/schema.sql"
expect 'results/schema.sql is up to date (twostage db schema >results/schema.sql)' 0 '' \
	cmp results/schema.sql "$work/schema.sql"
finish
