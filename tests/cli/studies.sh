#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `print:` of a sweep spec: its tables agree with `run` and with the database; generator specs as traces; what is
# refused; the specs that are shipped.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"
top=$PWD
cd "$work" || exit 70

printf 'seed: 3\npattern: uniform\nfootprint: 16M\naccesses: 3000\nfetches: 1\n' >gen.yaml
"$TWOSTAGE" trace gen gen.yaml -o gen.s2t || fail 'trace gen'
cat >s.yaml <<'EOF'
name: tables
models: [armv8-max, cortex-a57]
traces: gen.yaml
axes:
  host.backing: [4K, 2M]
  stage2.ipa_bits: [40, 48]
print:
  - title: "Walks, by core"
    rows: [stage2.ipa_bits, host.backing]
    columns: model
    values:
      - { name: walks, value: walks }
      - { name: reads a walk, value: walk_reads / walks, digits: 3 }
  - title: One core
    where: { model: armv8-max, host.backing: 2048K }
    rows: [trace, stage2.ipa_bits]
    values: [s2_mapped_2m, s2_mapped_1g / s2_mapped_512m]
EOF
expect 'runs' 0 '^t.db: 8 points: 6 run, 2 impossible' "$TWOSTAGE" sweep -o t.db s.yaml
"$TWOSTAGE" sweep -o t.db s.yaml >text || fail 'again'
"$TWOSTAGE" sweep --csv -o t.db s.yaml >csv 2>err || fail 'csv'
"$TWOSTAGE" sweep --json -o t.db s.yaml >json || fail 'json'
expect 'summary apart from CSV' 0 ' 8 there already' cat err
expect 'title' 0 '^Walks, by core$' cat text
expect 'what the columns are' 0 '^columns: model$' cat text
expect 'reason of impossible points' 0 '^\(1\) impossible: .*48' cat text
expect 'impossible in the row' 0 '^48 +4K +[0-9]+ +[0-9.]+ +\(1\) +\(1\)$' cat text
expect 'division by 0' 0 '^gen +40 +[0-9]+ +-$' cat text
expect 'rows in the order of the keys' 0 '^40 4K,40 2M,48 4K,48 2M,$' \
	sh -c 'jq -r ".tables[0].rows[] | .[0] + \" \" + .[1]" json | tr "\n" ,'
expect 'CSV: heads' 0 '^stage2.ipa_bits,host.backing,armv8-max walks,armv8-max reads a walk,cortex-a57 walks,' cat csv
expect 'CSV: impossible is empty' 0 '^48,4K,[0-9]+,[0-9.]+,,$' cat csv
expect 'CSV: second table' 0 '^# One core$' cat csv
expect 'JSON: null' 0 '^null$' sh -c 'jq ".tables[0].rows[2][4]" json'
expect 'JSON: reasons' 0 '^1$' sh -c 'jq ".tables[0].impossible | length" json'

# Each cell is what `run` says of that point, on the generated trace or the same trace from a file.
for core in 0:armv8-max:40:4K 1:armv8-max:40:2M 2:armv8-max:48:4K 0:cortex-a57:40:4K; do
	row=${core%%:*} rest=${core#*:}
	model=${rest%%:*} rest=${rest#*:}
	column=2
	[ "$model" = cortex-a57 ] && column=4
	cell=$(jq -r ".tables[0].rows[$row][$column]" json)
	for trace in gen.yaml gen.s2t; do
		walks=$("$TWOSTAGE" run --json -c "$model" -s "stage2.ipa_bits=${rest%:*}" -s "host.backing=${rest#*:}" $trace |
			jq -r .stats.walks)
		expect "table ($cell) = run of $trace ($walks)" 0 '' test "$cell" = "$walks"
	done
done
ratio=$(sqlite3 t.db "SELECT printf('%.3f', 1.0 * walk_reads / walks) FROM point WHERE model = 'armv8-max' AND
	\"host.backing\" = '2M' AND \"stage2.ipa_bits\" = 48")
expect "ratio ($ratio) = table" 0 "^48 +2M +[0-9]+ +$ratio " cat text

# wrong NAME SED PATTERN: the spec changed by SED is refused before anything runs.
wrong() {
	sed -e "$2" s.yaml >w.yaml
	expect "$1" 65 "^w.yaml:$3" "$TWOSTAGE" sweep -o w.db w.yaml
	expect "$1: nothing is run" 1 '' test -e w.db
}
wrong 'points in one cell' 's/columns: model/columns: trace/' '8:5: error: .Walks, by core.: one cell for both \(armv8-max.*cortex-a57'
wrong 'no such statistic' 's/value: walks }/value: wakls }/' "12:31: error: unknown statistic 'wakls'; did you mean 'walks'"
wrong 'no such key' 's/columns: model/columns: host.backin/' "10:14: error: unknown parameter .*'host.backing'"
wrong 'no point' 's/where: { model: armv8-max/where: { model: nobody/' '14:5: error: .One core. has no point'
wrong 'no title' 's/- title: One core/- {}/;15,$d' '14:5: error: a table needs'
wrong 'unknown key of a table' 's/where:/were:/' "15:5: error: unknown key 'were'"
wrong 'value out of range' 's/2048K/2047K/' '15:46: error: host.backing'
expect 'both forms' 64 'exclude each other' "$TWOSTAGE" sweep --csv --json s.yaml
expect 'a generator spec that is wrong' 65 'error: no key' sh -c 'echo "seeed: 1" >bad.yaml && "$TWOSTAGE" run bad.yaml'

cd "$top" || exit 70
for spec in workloads/studies/*.yaml; do
	grep -q '^print:' "$spec" || continue
	expect "$spec is sound" 0 ' points .*: 0 there already' "$TWOSTAGE_FAST" sweep --dry-run -o "$work/none.db" "$spec"
done
# docs/studies.md shows what they print.
if [ -n "${TWOSTAGE_LONG:-}" ]; then
	for spec in workloads/studies/*.yaml; do
		grep -q '^print:' "$spec" || continue
		"$TWOSTAGE_FAST" sweep -o "$work/studies.db" "$spec" || fail "$spec"
	done >"$work/printed"
	sed -n '/^    [^.]/s/^    //p' docs/studies.md >"$work/shown"
	expect 'tables in docs/studies.md are those of make studies' 1 '' grep -vxFf "$work/printed" "$work/shown"
fi
finish
