#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage db merge` and what it does with sweeps: the same one, an extended one, slices in any order, databases of
# the schema before; two at once, and merges that are killed.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"
cd "$work" || exit 70
"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 4M --accesses 500 --seed 1 -o t.s2t || fail 'trace gen'
cat >a.yaml <<'SPEC'
name: s
models: [neoverse-n1, cortex-a57]
traces: [t.s2t]
axes:
  stage2.ipa_bits: [36, 38, 40]
  host.backing: [4K, 2M]
SPEC
sed 's/38, 40/38, 40, 42, 44/' a.yaml >longer.yaml
sed 's/36, 38, 40/37, 39, 41/' a.yaml >others.yaml
for spec in a longer others; do
	"$TWOSTAGE" sweep -o $spec.db $spec.yaml >/dev/null || fail "sweep $spec"
done

# rows DATABASE - its table sweep
rows() {
	sqlite3 "$1" 'SELECT name, point, key FROM sweep ORDER BY name, point'
}
# same NAME A B - the same points, and the same sweeps
same() {
	contents "$2" >one.all
	contents "$3" >other.all
	cmp -s one.all other.all && pass "$1" || fail "$1: $2 and $3 differ"
}

# Different sweeps of one name.
for other in longer others; do
	cp a.db into.db
	expect "$other: refused" 65 "error: into.db and $other.db have different sweeps 's', of 12 and [12][20] points" \
		"$TWOSTAGE" db merge into.db $other.db
	cmp -s a.db into.db && pass "$other: unchanged" || same "$other: unchanged" a.db into.db
	expect "$other: the points alone" 0 'into.db: [18][02]* new points' "$TWOSTAGE" db merge --points into.db $other.db
	rows a.db >one
	rows into.db >two
	expect "$other: the sweep stays" 0 '' cmp one two
	expect "$other: sound" 0 'into.db: ok, [0-9]+ points$' "$TWOSTAGE" db check into.db
done
expect 'of three the last is refused' 65 'longer.db have different' "$TWOSTAGE" db merge fresh.db a.db a.db longer.db
same 'those before it are in' a.db fresh.db
expect 'JSON of points alone' 0 '"from":"longer.db".*"new_points":8' "$TWOSTAGE" db merge --json --points fresh.db longer.db

# A spec that was extended, on the database that it had: its points in its order, and nothing of before.
cp a.db grown.db
expect 'extended' 0 ' 20 points: [0-9]+ run, [0-9]+ impossible, 12 there already' "$TWOSTAGE" sweep -o grown.db longer.yaml
same 'as if it had always been so' grown.db longer.db
expect 'a merge of the same sweep' 0 ' 0 new points' "$TWOSTAGE" db merge grown.db longer.db
expect 'shortened again' 0 ' 12 there already' "$TWOSTAGE" sweep -o grown.db a.yaml
expect 'is the short sweep' 0 's  *12 points, 12 of them done' "$TWOSTAGE" db info grown.db
expect 'with all points' 0 'ok, 20 points$' "$TWOSTAGE" db check grown.db

# Slices, merged by hand in any order, are the sweep; slices of another spec are not.
for slice in 1 2 3; do
	"$TWOSTAGE" sweep -o cut.db --slice $slice/3 a.yaml >/dev/null || fail "slice $slice"
	"$TWOSTAGE" sweep -o othercut.db --slice $slice/3 others.yaml >/dev/null || fail "other slice $slice"
done
d=cut.db.slices/slice
expect 'by hand' 0 'hand.db: [0-9]+ new points' "$TWOSTAGE" db merge hand.db $d-3.db $d-1.db
expect 'part of a sweep' 0 'hand.db: ok, [0-9]+ points$' "$TWOSTAGE" db check hand.db
expect 'a slice of another' 65 'hand.db and othercut.db.slices/slice-2.db have different sweeps' \
	"$TWOSTAGE" db merge hand.db othercut.db.slices/slice-2.db
expect 'the last slice' 0 'hand.db: [0-9]+ new points' "$TWOSTAGE" db merge hand.db $d-2.db $d-1.db
expect 'now all are there' 0 's  *12 points, 12 of them done' "$TWOSTAGE" db info hand.db
expect 'the same sweep, run here' 0 ' 0 new points' "$TWOSTAGE" db merge hand.db a.db
expect 'and checked' 0 'hand.db: ok, 12 points$' "$TWOSTAGE" db check hand.db
"$TWOSTAGE_FAST" db merge parts.db $d-1.db >/dev/null
expect 'a part, then the whole' 0 ' [0-9]+ new points' "$TWOSTAGE" db merge parts.db a.db
same 'is the whole in its order' parts.db a.db
expect 'sound' 0 'ok, 12 points$' "$TWOSTAGE" db check parts.db
# Into a database that has an earlier form of the sweep.
cp -r cut.db.slices longer2.db.slices
cp longer.db longer2.db
expect 'slices of a changed spec' 0 ' 12 points: .* 12 there already' "$TWOSTAGE" sweep -o longer2.db --merge a.yaml
rows a.db >one
rows longer2.db >two
expect 'replace its sweep' 0 '' cmp one two

# The schema before has neither digests nor parts.
# older DATABASE - make it one of version 2
older() {
	sqlite3 "$1" 'DROP TABLE digest; DROP TABLE sweep_part; PRAGMA user_version = 2'
}
cp a.db old.db
older old.db
expect 'old: check' 0 'old.db: ok, 12 points; schema version 2 has no digests' "$TWOSTAGE" db check old.db
expect 'old: info' 0 'schema version 2' "$TWOSTAGE" db info old.db
expect 'old: not written to' 65 'old.db: schema version 2 is only read: .twostage db merge NEW old.db. copies' "$TWOSTAGE" sweep -o old.db a.yaml
expect 'old: nor merged into' 65 'schema version 2 is only read' "$TWOSTAGE" db merge old.db a.db
expect 'old: copied' 0 'new.db: 12 new points from old.db' "$TWOSTAGE" db merge new.db old.db
expect 'old: its copy is whole' 0 'new.db: ok, 12 points$' "$TWOSTAGE" db check new.db
same 'old: nothing is lost' new.db a.db
expect 'old: goes on' 0 ' 8 impossible| 12 there already' "$TWOSTAGE" sweep -o new.db longer.yaml
cp longer.db old.db
older old.db
expect 'old: another sweep' 65 'a.db and old.db have different sweeps' "$TWOSTAGE" db merge a.db old.db
cp a.db half.db
sqlite3 half.db 'PRAGMA user_version = 2'
expect 'half of an old one' 65 'half.db: schema version 2, but with tables of version 3' "$TWOSTAGE" db check half.db

# Two merges at once, of different databases into one.
"$TWOSTAGE" db merge both.db longer.db others.db --points >/dev/null
"$TWOSTAGE" db merge --points twice.db longer.db >/dev/null 2>log1 &
first=$!
"$TWOSTAGE" db merge --points twice.db others.db >/dev/null 2>log2
second=$?
wait $first && [ $second -eq 0 ] && pass 'two at once' || fail "two at once: $(cat log1 log2)"
same 'two at once: both are in' both.db twice.db
expect 'two at once: sound' 0 'twice.db: ok, 32 points$' "$TWOSTAGE" db check twice.db

expect 'merge: a file that is not there' 66 'error: none.db: no such file' "$TWOSTAGE" db merge anew.db a.db none.db
expect 'merge: nothing was made' 1 '' test -e anew.db

# Killed: all of a database is in, or nothing.
cat >many.yaml <<'SPEC'
name: many
models: [neoverse-n1]
traces: [t.s2t]
axes:
  seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
  cost.exit: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  cost.fault: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
SPEC
"$TWOSTAGE_FAST" sweep -o many.db many.yaml >/dev/null || fail 'many points'
begin=$(date +%s%N)
"$TWOSTAGE_FAST" db merge whole.db many.db a.db >/dev/null
micros=$((($(date +%s%N) - begin) / 1000))
# What comes too late on a machine that is busy is tried again.
n_killed=0 round=0
while [ $n_killed -lt 5 ] && [ $round -lt 90 ]; do
	moment=$((round % 9 + 1)) round=$((round + 1))
	rm -f killed.db*
	"$TWOSTAGE_FAST" db merge killed.db many.db a.db >/dev/null 2>&1 &
	pid=$!
	sleep "$(printf '%d.%06d' $((micros * moment / 10 / 1000000)) $((micros * moment / 10 % 1000000)))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	[ $? -eq 137 ] || continue
	n_killed=$((n_killed + 1))
	if [ -s killed.db ]; then
		"$TWOSTAGE_FAST" db check killed.db >check.log 2>&1
		grep -qE 'ok, (0|2000|2012) points|is empty' check.log || fail "killed at $moment: $(cat check.log)"
	fi
	expect "killed at $moment, repeated" 0 'new points from a.db' "$TWOSTAGE_FAST" db merge killed.db many.db a.db
	same "killed at $moment, then whole" killed.db whole.db
done
[ $n_killed -eq 5 ] && pass 'killed' || fail "only $n_killed of $round merges were killed"
finish
