#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `sweep --salvage` replays of damaged traces what `run --salvage` does, says what is lost, and keeps it apart from
# the whole trace.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"
cd "$work" || exit 70
"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 32M --accesses 200000 --seed 1 -o whole.s2t || fail 'trace gen'
mkdir cut
head -c $(($(stat -c %s whole.s2t) * 2 / 3)) whole.s2t >cut/whole.s2t
"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 1M --accesses 3000 --seed 2 --granularity raw -o raw.s2t
"$TWOSTAGE_FAST" trace cat raw.s2t >raw.csv
{
	head -n 2000 raw.csv
	echo 'no more of this'
	tail -n 100 raw.csv
} >bad.csv
cat >s.yaml <<'SPEC'
name: s
models: neoverse-n1
traces: [cut/whole.s2t, bad.csv, raw.s2t]
axes: { stage2.ipa_bits: [40, 48] }
SPEC
expect 'cut trace' 65 'cut/whole.s2t: byte [0-9]+: the trace ends without its footer .*--salvage' "$TWOSTAGE" sweep -o n.db s.yaml
sed 's,cut/whole.s2t,whole.s2t,' s.yaml >w.yaml
expect 'bad line' 65 'bad.csv: byte [0-9]+: expected' "$TWOSTAGE" sweep -o n.db w.yaml
expect 'salvaged' 0 's.db: 6 points: 6 run,' "$TWOSTAGE" sweep --salvage -o s.db s.yaml
"$TWOSTAGE_FAST" sweep --salvage -o s.db s.yaml >told 2>&1
for lost in 'cut/whole.s2t: byte [0-9]+: the file ends inside this block' 'bad.csv: byte [0-9]+: expected'; do
	expect "told: $lost" 0 "^twostage: salvaged what is before this: .*$lost" cat told
done
expect 'nothing of what is whole' 0 '^2$' grep -c salvaged told
for trace in cut/whole.s2t bad.csv; do
	"$TWOSTAGE_FAST" run --json --salvage -c neoverse-n1 -s stage2.ipa_bits=48 $trace 2>/dev/null >run.json
	expect "$trace: the results of run" 0 "^$(jq -r '[.trace.accesses, .stats.accesses, .stats.walks, .stats.walk_cycles] | join("\\|")' run.json)\$" \
		sqlite3 s.db "SELECT trace_accesses, accesses, walks, walk_cycles FROM point WHERE trace = '${trace#cut/}' AND \"stage2.ipa_bits\" = 48"
done
# Same name, another digest: no point of one is taken for one of the other.
printf 'name: w\nmodels: neoverse-n1\ntraces: whole.s2t\naxes: { stage2.ipa_bits: [40, 48] }\n' >w.yaml
expect 'the whole trace is another' 0 ' 2 run, 0 impossible, 0 there already' "$TWOSTAGE" sweep -o s.db w.yaml
expect 'two digests of one name' 0 '^2$' sqlite3 s.db "SELECT count(DISTINCT trace_digest) FROM point WHERE trace = 'whole.s2t'"
expect 'a whole trace, salvaged, is itself' 0 ' 2 there already' "$TWOSTAGE" sweep --salvage -o s.db w.yaml
# Where the command line has to say it each time.
expect 'dry run' 0 'salvaged' "$TWOSTAGE" sweep --salvage -n s.yaml
expect 'slice' 0 ' 0 failed' "$TWOSTAGE" sweep --salvage --slice 1/1 -o slices.db s.yaml
expect 'merge' 0 ' 6 there already' "$TWOSTAGE" sweep --salvage --merge -o slices.db s.yaml
expect 'merge of traces that are cut' 65 'footer .*--salvage' "$TWOSTAGE" sweep --merge -o slices.db s.yaml
expect 'tasks of Slurm' 64 'trace convert --salvage' "$TWOSTAGE" sweep --salvage --slurm s.yaml
expect 'mrc, too' 0 'salvaged what is before this: .*bad.csv' "$TWOSTAGE" mrc --salvage bad.csv
finish
