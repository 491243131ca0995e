#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage sweep --slice, --merge, --status`: any number of slices gives the database of a local run;
# what does not belong together is refused. Slurm itself is in tests/slurm/ (make check-slurm).
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"
root=$PWD
for seed in 1 2 3; do
	"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 64M --accesses ${seed}0000 --fetches 1 \
		--seed $seed -o "$work/t$seed.s2t" || fail 'trace gen'
done
cat >"$work/s.yaml" <<'EOF'
name: small
models: [neoverse-n1, cortex-a57]
traces: [t1.s2t, t2.s2t, t3.s2t]
set: { host.backing: 2M }
axes:
  stage2.ipa_bits: [40, 44, 52]
  host.block_rule: [v10, relaxed]
print:
  - { title: Walks, rows: [trace, model], columns: [stage2.ipa_bits, host.block_rule], values: [walks] }
EOF
cd "$work" || exit 70

# equal NAME DATABASE - points and the order of the sweep are those of the local run.
equal() {
	contents "$2" >other
	expect "$1" 0 '' cmp whole other
}
expect 'local run' 0 ' 36 points: 24 run, 12 impossible' "$TWOSTAGE_FAST" sweep -o local.db s.yaml
contents local.db >whole
"$TWOSTAGE_FAST" sweep --csv -o local.db s.yaml >local.tables 2>/dev/null

for n in 1 2 7 50; do
	for i in $(seq $n | sort -r); do
		"$TWOSTAGE_FAST" sweep -j 2 -o n$n.db --slice "$i/$n" s.yaml >log 2>&1 || fail "slice $i/$n: $(cat log)"
	done
	expect "merge of $n" 0 "^n$n.db: 36 points: 0 run, 0 impossible, 36 there" "$TWOSTAGE" sweep -o n$n.db --merge s.yaml
	equal "$n slices equal a local run" n$n.db
	expect "check of $n" 0 '' "$TWOSTAGE_FAST" db check n$n.db n$n.db.slices/*.db
	expect "status of $n" 0 "^n$n.db.slices: $n of $n slices? complete, 36 of 36 points" "$TWOSTAGE" sweep -o n$n.db --status s.yaml
done
# All at once, as a scheduler that knows nothing of them runs them.
expect 'slices at once' 0 '' sh -c 'seq 9 | xargs -P 4 -I{} "$TWOSTAGE_FAST" sweep -j 1 -o n9.db --slice {}/9 s.yaml'
expect 'merge of slices run at once' 0 '^n9.db: 36 points: 0 run, 0 impossible, 36 there' "$TWOSTAGE" sweep -o n9.db --merge s.yaml
equal 'slices run at once equal a local run' n9.db
"$TWOSTAGE_FAST" sweep --csv -o n7.db --merge s.yaml >slices.tables 2>/dev/null
expect 'tables after a merge' 0 '' cmp local.tables slices.tables
expect 'a shard keeps the rollback journal' 0 '^delete$' sqlite3 n2.db.slices/slice-1.db 'PRAGMA journal_mode'
expect 'slices cut between traces' 0 '^1$' sqlite3 n2.db.slices/slice-2.db 'SELECT count(DISTINCT trace) FROM point'

# What shares a replay stays together: two L1 TLBs, which the spec has innermost, on three traces are six groups.
printf 'name: groups\nmodels: neoverse-n1\ntraces: [t1.s2t, t2.s2t, t3.s2t]\naxes: { dram.latency_cycles: [100, 150, 200], tlb.l1d.entries: [16, 32] }\n' >g.yaml
for n in 1 2 3 4 5 6 9 18 30; do
	for i in $(seq $n); do
		"$TWOSTAGE_FAST" sweep -j 1 -o g$n.db --slice "$i/$n" g.yaml >log 2>&1 || fail "slice $i/$n: $(cat log)"
	done
	# A point of two shards is counted twice, a group that is cut, too.
	points=0 groups=0
	for shard in g$n.db.slices/*.db; do
		points=$((points + $(sqlite3 "$shard" 'SELECT count(*) FROM point')))
		groups=$((groups + $(sqlite3 "$shard" 'SELECT count(DISTINCT trace || "tlb.l1d.entries") FROM point')))
	done
	expect "each point is in one of $n slices" 0 '' test $points -eq 18
	[ $n -gt 4 ] || expect "groups in $n slices are whole" 0 '' test $groups -eq 6
done
"$TWOSTAGE_FAST" sweep -o whole.db g.yaml >/dev/null
contents whole.db >whole
for n in 2 30; do
	"$TWOSTAGE_FAST" sweep -o g$n.db --merge g.yaml >/dev/null || fail "merge of $n slices of groups"
	equal "groups in $n slices equal a local run" g$n.db
done
# Another build may cut otherwise; one from before plans said how they were cut has no such line.
sed -i 's/^cut .*/cut 0123456789abcdef/' g2.db.slices/plan
expect 'cut otherwise: task' 65 'g2.db.slices/plan: another build of this program cut the sweep into other slices; keep' "$TWOSTAGE" sweep -o g2.db --slice 1/2 g.yaml
expect 'cut otherwise: status' 65 'other slices; keep' "$TWOSTAGE" sweep -o g2.db --status g.yaml
expect 'cut otherwise: merge' 0 ' 0 not run' "$TWOSTAGE" sweep -o g2.db --merge g.yaml
sed -i '/^cut/d' g30.db.slices/plan
expect 'from before: task' 65 'other slices; keep' "$TWOSTAGE" sweep -o g30.db --slice 1/30 g.yaml
rm g30.db
expect 'from before: merge' 0 ' 0 not run' "$TWOSTAGE" sweep -o g30.db --merge g.yaml
equal 'shards from before' g30.db
contents local.db >whole

# All at once, then some only, then the rest.
for i in 1 2 3 4; do "$TWOSTAGE_FAST" sweep -j 1 -o once.db --slice $i/4 s.yaml >log$i 2>&1 & done
wait
"$TWOSTAGE_FAST" sweep -o once.db --merge s.yaml >/dev/null
equal 'four tasks at once' once.db
expect 'the first' 0 ' 0 failed' "$TWOSTAGE" sweep -o part.db --slice 2/3 s.yaml
expect 'status of a part' 75 '^slice 1: 0 of [0-9]+ points' "$TWOSTAGE" sweep -o part.db --status s.yaml
expect 'status as JSON' 0 '^1 36$' sh -c '"$TWOSTAGE" sweep -o part.db --status --json s.yaml | jq -r "[.stats.complete, .stats.points] | join(\" \")"'
expect 'status: the whole, and what is left' 75 '^part.db.slices: 1 of 3 slices complete, [0-9]+ of 36 points done$' "$TWOSTAGE" sweep -o part.db --status s.yaml
expect 'status: time' 75 '^left: about [0-9.]+ m?s of processor time, by what the points so far took$' "$TWOSTAGE" sweep -o part.db --status s.yaml
# As much again for each point as those of the shard took on average, if all of them cost alike: here they do not quite.
sqlite3 part.db.slices/slice-2.db 'UPDATE effort SET wall_micros = 60000000'
expect 'status: by what was measured' 0 '^true$' sh -c '"$TWOSTAGE_FAST" sweep -o part.db --status --json s.yaml | jq ".stats | .left_micros > 60000000 and .left_micros < 60000000 * 2 * (.points - .done)"'
expect 'status without slices' 75 '^no.db: 0 of 36 points done, no slices$' "$TWOSTAGE_FAST" sweep -o no.db --status s.yaml
expect 'status without slices: time' 75 '^left: about [0-9.]+ m?s of processor time, [0-9.]+ m?s with 3 workers$' "$TWOSTAGE_FAST" sweep -j 3 -o no.db --status s.yaml
expect 'which makes nothing' 1 '' sh -c '"$TWOSTAGE_FAST" sweep --status s.yaml; ls no.db no.db.slices results 2>/dev/null | grep .'
expect 'status of a local run' 0 '^local.db: 36 of 36 points done, no slices$' "$TWOSTAGE" sweep -o local.db --status s.yaml
mkdir foreign.db.slices
echo hello >foreign.db.slices/notes
expect 'status beside a folder of others' 75 '^foreign.db: 0 of 36 points done, no slices$' "$TWOSTAGE_FAST" sweep -o foreign.db --status s.yaml
expect 'slices of which nothing is done are told together' 75 '^slices 1 to 3: 0 of 36 points' sh -c 'cp -r part.db.slices waiting.db.slices; rm waiting.db.slices/*.db; "$TWOSTAGE_FAST" sweep -o waiting.db --status s.yaml'
expect 'a log of a task that ended' 75 '^slice 3: [0-9]+ of [0-9]+ points; its output ends: error: lost$' sh -c 'echo error: lost >part.db.slices/slice-3.log; "$TWOSTAGE_FAST" sweep -o part.db --status s.yaml; s=$?; rm part.db.slices/slice-3.log; exit $s'
expect 'merge of a part' 75 ' [1-9][0-9]* not run' "$TWOSTAGE" sweep -o part.db --merge s.yaml
rm part.db.slices/slice-2.db
expect 'merged points need no shard' 0 ': 0 run, 0 impossible, [0-9]+ there already' "$TWOSTAGE" sweep -o part.db --slice 2/3 s.yaml
expect 'a local run fills the rest' 0 ' 0 not run' "$TWOSTAGE_FAST" sweep -o part.db s.yaml
equal 'slices and a local run' part.db

# What does not belong together.
expect 'no slices' 66 'no.db.slices: no slices of this sweep' "$TWOSTAGE" sweep -o no.db --merge s.yaml
expect 'another number of slices' 65 'n2.db.slices/plan: cut into 2 slices, not 3$' "$TWOSTAGE" sweep -o n2.db --slice 1/3 s.yaml
sed 's/40, 44/40, 42/' s.yaml >changed.yaml
expect 'spec changed' 65 'n2.db.slices/plan: the spec has changed' "$TWOSTAGE" sweep -o n2.db --slice 1/2 changed.yaml
expect 'spec changed: merge' 65 'n2.db.slices/plan: the spec has changed' "$TWOSTAGE" sweep -o n2.db --merge changed.yaml
mv t1.s2t away.s2t
expect 'a trace that the task cannot see' 66 '^s.yaml:3:10: error: .*t1.s2t' "$TWOSTAGE" sweep -o n2.db --slice 1/2 s.yaml
cp t2.s2t t1.s2t
expect 'trace changed' 65 'n2.db.slices/plan: the trace t1.s2t has changed' "$TWOSTAGE" sweep -o n2.db --slice 1/2 s.yaml
mv away.s2t t1.s2t
sed -i 's/^engine .*/engine 0/' n2.db.slices/plan
expect 'cut by another engine' 65 'n2.db.slices/plan: cut by engine 0, and this program is engine' "$TWOSTAGE" sweep -o n2.db --slice 1/2 s.yaml
sqlite3 n7.db.slices/slice-3.db "UPDATE point SET engine = '0'"
expect 'shard of another engine: merge' 65 'slice-3.db: a shard of engine 0, and this' "$TWOSTAGE" sweep -o n7.db --merge s.yaml
expect 'shard of another engine: task' 65 'slice-3.db: a shard of engine 0, and this' "$TWOSTAGE" sweep -o n7.db --slice 3/7 s.yaml
echo nonsense >n1.db.slices/plan
expect 'plan that is none' 65 "n1.db.slices/plan: not 'twostage-slices" "$TWOSTAGE" sweep -o n1.db --status s.yaml

# A disk that is full, a task twice, a task that was stopped before its shard had tables.
expect 'full disk' 74 'slice-1.db: ' sh -c 'ulimit -f 135; "$TWOSTAGE_FAST" sweep -j 1 -o full.db --slice 1/1 s.yaml'
expect 'after a full disk: sound' 0 'slice-1.db: ok, [1-9]' "$TWOSTAGE" db check full.db.slices/slice-1.db
expect 'after a full disk: resumed' 0 ' 0 failed' "$TWOSTAGE_FAST" sweep -o full.db --slice 1/1 s.yaml
"$TWOSTAGE_FAST" sweep -j 1 -o twice.db --slice 1/1 s.yaml >a.log 2>&1 &
"$TWOSTAGE_FAST" sweep -j 1 -o twice.db --slice 1/1 s.yaml >b.log 2>&1 || fail "a task twice: $(cat b.log)"
wait $! || fail "a task twice: $(cat a.log)"
mkdir empty.db.slices && : >empty.db.slices/slice-2.db
expect 'a shard without tables' 0 ' 0 failed' "$TWOSTAGE_FAST" sweep -o empty.db --slice 1/2 s.yaml
expect 'a shard without tables: status' 75 '^slice 2: 0 of' "$TWOSTAGE" sweep -o empty.db --status s.yaml
expect 'a shard without tables: resumed' 0 ' 0 failed' "$TWOSTAGE_FAST" sweep -o empty.db --slice 2/2 s.yaml
for db in full twice empty; do
	"$TWOSTAGE_FAST" sweep -o $db.db --merge s.yaml >/dev/null || fail "merge of $db"
	equal "$db equals a local run" $db.db
done
expect 'folder without write access' 74 '/proc/x.db.slices: ' "$TWOSTAGE" sweep -o /proc/x.db --slice 1/2 s.yaml
for bad in 0/3 4/3 3 1/ /3 1/3x 1/100001; do
	expect "--slice $bad" 64 'I/N expected' "$TWOSTAGE" sweep --slice $bad s.yaml
done
expect 'modes exclude each other' 64 'exclude each other' "$TWOSTAGE" sweep --slice 1/2 --merge s.yaml
expect 'the array is ours' 64 'the array is the sweep' "$TWOSTAGE" sweep --slurm s.yaml -- --array=1-3
expect 'no Slurm here' 74 'squeue: .*is Slurm installed' env PATH=/nowhere "$TWOSTAGE" sweep -o sl.db --slurm s.yaml
finish
