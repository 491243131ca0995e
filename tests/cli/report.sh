#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage report`: refusals, and the page of a small database written by hand.
. tests/lib.sh
: "${TWOSTAGE:?}"
command -v gnuplot >/dev/null || fail "gnuplot is missing"
command -v sqlite3 >/dev/null || fail "sqlite3 is missing"

report() {
	"$TWOSTAGE" report -d "$work/$1" -o "$work/page"
}

# add DB NAME=VALUE... - one point; columns not named get 0, so that only what a figure reads counts.
points=0
add() {
	db=$1
	shift
	points=$((points + 1))
	printf '%s\n' "key=$points" model=armv8-max trace=hand.s2t engine="$engine" status=ok \
		stage1.granule=4K stage2.granule=4K guest.pages=base walks=10 accesses=1000 "$@" >"$work/set"
	sqlite3 "$db" 'SELECT name FROM pragma_table_info("point")' | awk -F= '
		NR == FNR { value[$1] = $2; next }
		after && value["status"] == "impossible" { next }
		$0 == "seed" { after = 1 } # statistics follow
		{ columns = columns sep "\"" $0 "\""
		  v = $0 == "reason" && !($0 in value) ? "NULL" : "\x27" ($0 in value ? value[$0] : "0") "\x27"
		  values = values sep v
		  sep = "," }
		END { print "INSERT INTO point (" columns ") VALUES (" values ");" }' "$work/set" - |
		sqlite3 "$db" || fail "sqlite3 could not insert"
}

expect 'no database' 66 'nothing.db: no such file' report nothing.db
printf 'hello, this is no database at all' >"$work/text.db"
expect 'not SQLite' 65 'text.db: ' report text.db
sqlite3 "$work/foreign.db" 'CREATE TABLE t (a)'
expect 'foreign database' 65 'foreign.db: .*not one of twostage' report foreign.db
sqlite3 "$work/empty.db" <results/schema.sql
expect 'empty database' 65 'empty.db: no points of engine .*sweep' report empty.db
expect 'argument' 64 'no argument is expected' "$TWOSTAGE" report empty.db

engine=$("$TWOSTAGE" --version | sed 's/.*engine \(.*\))/\1/')
sqlite3 "$work/hand.db" <results/schema.sql
for ipa in 40 44; do
	for rule in v10 relaxed; do
		reads=14 leaf=s2_mapped_1g
		case $rule$ipa in
		v1040) reads=19 leaf=s2_mapped_4k ;;
		relaxed40) reads=9 ;;
		esac
		add "$work/hand.db" stage2.ipa_bits=$ipa host.backing=1G host.block_rule=$rule \
			walk_reads=${reads}0 $leaf=1
	done
done
add "$work/hand.db" stage2.ipa_bits=52 host.backing=1G host.block_rule=v10 status=impossible \
	reason='<no> 52 bits & more'
expect 'page' 0 'page/index.html$' report hand.db
page=$work/page/index.html
expect 'finding' 0 'At IPA 40 .*<b>19</b> .*v10 \(4K leaves\), <b>9</b> .*relaxed \(1G' cat "$page"
expect 'reason of a gap, escaped' 0 '<td>&lt;no&gt; 52 bits &amp; more</td>' cat "$page"
expect 'figure without points' 0 'class="gap">The database has no points for this figure' cat "$page"
expect 'one drawing in the page' 0 '^1$' grep -c '<svg' "$page"
expect 'no reference to other places' 1 '' grep -E '(src|href)="(https?:|/)' "$page"
expect 'CSV' 0 '^40,19,9,4K,1G,$' cat "$work/page/pud-reads.csv"
expect 'a gap is empty, not zero' 0 '^52,,,,,<no> 52 bits & more$' cat "$work/page/pud-reads.csv"
expect 'LaTeX' 0 '^52 & -- & -- & -- & -- & <no> 52 bits \\& more' cat "$work/page/pud-reads.tex"
cp "$page" "$work/before.html"
expect 'twice the same' 0 'index.html' report hand.db
expect 'twice the same page' 0 '' cmp "$page" "$work/before.html"

# Intervals of a sweep: the CSV has the database's own numbers.
cat >"$work/time.yaml" <<'EOF'
name: time
models: neoverse-n1
traces: [a.yaml, b.yaml]
set: { interval.instructions: 20000, warmup.instructions: 10000 }
axes:
  host.backing: [base, 2M]
EOF
for n in a b; do
	cat >"$work/$n.yaml" <<'EOF'
pattern: uniform
footprint: 64M
accesses: 50000
fetches: 2
EOF
	echo "seed: $(printf %d "'$n")" >>"$work/$n.yaml"
done
expect 'sweep with intervals' 0 '4 run' "$TWOSTAGE" sweep "$work/time.yaml" -o "$work/time.db"
expect 'resumed' 0 '4 there already' "$TWOSTAGE" sweep "$work/time.yaml" -o "$work/time.db"
expect 'checked' 0 'ok, 4 points' "$TWOSTAGE" db check "$work/time.db"
"$TWOSTAGE" db intervals "$work/time.db" >"$work/intervals.csv"
expect 'all intervals' 0 '^21$' sh -c "wc -l <'$work/intervals.csv'"
expect 'page over time' 0 'page/index.html$' report time.db
expect 'points with other settings' 0 'at most .*2 points with other settings are not shown' cat "$page"
expect 'no figure against IPA size of one size' 0 '^1$' grep -c '<svg' "$page"
expect 'rates' 0 '' awk -F, '
	FNR == 1 { for (i = 1; i <= NF; i++) column[FILENAME, $i] = i; next }
	NR == FNR { row[FNR] = $0; next }
	{ line++ }
	$2 != (line % 5 ? line % 5 * 0.02 : 0.09) { exit 1 }
	{ for (k in row) { split(row[k], own, ",")
		if (own[column[ARGV[1], "l2_tlb_misses"]] * 1000 / own[column[ARGV[1], "instructions"]] == $3 &&
		    own[column[ARGV[1], "interval"]] == (line - 1) % 5) found++ } }
	END { exit !(line == 10 && found >= 10) }' "$work/intervals.csv" "$work/page/over-time.csv"
expect 'merged' 0 '4 new points' "$TWOSTAGE" db merge "$work/both.db" "$work/time.db"
"$TWOSTAGE" db intervals "$work/both.db" >"$work/merged.csv"
expect 'merged intervals' 0 '' cmp "$work/intervals.csv" "$work/merged.csv"
cp "$work/before.html" "$page"

mkdir "$work/bin"
expect 'no gnuplot' 74 'gnuplot' env PATH="$work/bin" "$TWOSTAGE" report -d "$work/hand.db" -o "$work/other"
[ ! -e "$work/other/index.html" ] && pass 'no page' || fail 'a page without figures'
: >"$work/file"
expect 'output is a file' 74 'Not a directory' "$TWOSTAGE" report -d "$work/hand.db" -o "$work/file"
ln -s /dev/full "$work/page/pud-reads.tex.full" && rm "$work/page/pud-reads.tex" &&
	mv "$work/page/pud-reads.tex.full" "$work/page/pud-reads.tex"
expect 'full disk' 74 'pud-reads.tex: No space left' report hand.db
expect 'old page kept' 0 '' cmp "$page" "$work/before.html"
finish
