#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage compare`: databases, parts of them and JSON, side by side; exit status as of diff.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"
cp tests/lib.sh "$work/script"
cd "$work" || exit 70
for seed in 1 2; do
	"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 256M --accesses 20000 --seed $seed -o t$seed.s2t
done
cat >a.yaml <<'EOF'
name: small
models: [neoverse-n1, cortex-a57]
traces: [t1.s2t, t2.s2t]
set: { host.backing: 2M }
axes:
  stage2.ipa_bits: [40, 52]
  host.block_rule: [v10, relaxed]
EOF
sed -e 's/2M/1G/' a.yaml >b.yaml
sed -e 's/, 52//' a.yaml >c.yaml
for set in a b c; do
	"$TWOSTAGE_FAST" sweep -o $set.db $set.yaml >/dev/null || fail "sweep $set"
done
one=model=neoverse-n1,trace=t1.s2t,stage2.ipa_bits=40
"$TWOSTAGE_FAST" run --json -c neoverse-n1 -s host.backing=2M -s host.block_rule=v10 -s stage2.ipa_bits=40 t1.s2t >r.json
compare() {
	"$TWOSTAGE" compare "$@"
}

expect 'a database with itself' 0 '^16 equal, 0 different, 0 only in A, 0 only in B$' compare a.db a.db
expect 'another backing' 1 '^  host.backing +2M +1G$' compare a.db b.db
expect 'points are matched over it' 0 '^16$' sh -c '"$TWOSTAGE" compare -j a.db b.db | jq ".stats.equal + .stats.different"'
expect 'what is impossible in both is equal' 0 '^8$' sh -c '
	"$TWOSTAGE" compare -j a.db b.db | jq "16 - (.points | length)"'
expect 'fewer points' 1 '^8 equal, 0 different, 8 only in A, 0 only in B$' compare a.db c.db
expect 'only in A' 1 '^only in A: t[12].s2t on cortex-a57 stage2.ipa_bits=52 host.block_rule=v10$' compare a.db c.db
expect 'only in B' 1 '^only in B: t[12].s2t on neoverse-n1 stage2.ipa_bits=52 host.block_rule=relaxed$' compare c.db a.db
expect 'quiet' 0 '^1$' sh -c '"$TWOSTAGE" compare -q a.db b.db | wc -l'
expect 'models side by side' 1 '^  tlb.l1d.entries +48 +32$' compare a.db:model=neoverse-n1 a.db:model=cortex-a57
expect 'traces side by side' 1 '^  trace +t1.s2t +t2.s2t$' compare a.db:trace=t1.s2t a.db:trace=t2.s2t

# Counts and differences are those of the database.
query='SELECT s2_faults, walk_cycles FROM point WHERE model = "neoverse-n1" AND trace = "t1.s2t" AND
	"stage2.ipa_bits" = 40 AND "host.block_rule" = "v10"'
for stat in s2_faults walk_cycles; do
	a=$(sqlite3 a.db "SELECT $stat FROM point WHERE ${query#*WHERE }")
	b=$(sqlite3 b.db "SELECT $stat FROM point WHERE ${query#*WHERE }")
	expect "$stat in text" 1 "^  $stat +$a +$b +[-+]?$((b > a ? b - a : a - b)) " compare "a.db:$one,host.block_rule=v10" b.db:$one
	expect "$stat in JSON" 0 "^$a $b $((b - a))\$" sh -c '"$TWOSTAGE" compare -j "$1" "$2" | jq -r ".points[].differences[] |
		select(.name == \"$3\") | \"\(.a) \(.b) \(.difference)\""' - "a.db:$one,host.block_rule=v10" "b.db:$one,host.block_rule=v10" $stat
done
expect 'JSON against a database' 0 '^1 equal, 0 different' compare r.json "a.db:$one,host.block_rule=v10"
expect 'JSON against JSON' 0 '^1 equal, 0 different' compare r.json r.json
expect 'among many' 1 '^1 equal, 0 different, 0 only in A, 15 only in B$' compare r.json a.db
sed 's/"walks":\([0-9]*\)/"walks":1\1/' r.json >more.json
expect 'one count differs' 1 '^  walks +[0-9]+ +1[0-9]+ +\+10+ ' compare r.json more.json
expect 'one line of it' 0 '^1$' sh -c '"$TWOSTAGE" compare -j r.json more.json | jq ".points[0].differences | length"'
sed 's/"stage2.ipa_bits":40/"stage2.ipa_bits":41/' r.json >other.json
expect 'a setting alone is no difference' 0 '^  stage2.ipa_bits +40 +41$' compare r.json other.json
key=$(sqlite3 a.db "SELECT key FROM point WHERE ${query#*WHERE }")
expect 'by key' 0 '^A: .*, 1 point$' compare "a.db:$(echo "$key" | cut -c 1-12)" r.json
cp a.db 'with:colon.db'
expect 'a colon in a path' 0 '^16 equal' compare with:colon.db a.db

expect 'one result' 64 'two results expected' compare a.db
expect 'three' 64 'too many arguments' compare a.db a.db a.db
expect 'no such file' 66 '^twostage: error: none.db: No such file' compare a.db none.db
expect 'no such file, selector' 66 '^twostage: error: none.db: No such file' compare a.db none.db:trace=t1.s2t
expect 'neither' 65 'script: neither a result database nor JSON' compare a.db script
expect 'a folder' 74 'Is a directory' compare a.db .
expect 'no point' 65 'no point is selected' compare a.db a.db:trace=t3.s2t
expect 'no parameter' 65 "unknown parameter 'stage2.ipa_bit'; did you mean 'stage2.ipa_bits'" compare a.db a.db:stage2.ipa_bit=40
expect 'no value' 65 'selector stage2.granule=5K: error: ' compare a.db a.db:stage2.granule=5K
expect 'no term' 65 "selector 'x': expected NAME=VALUE" compare a.db a.db:trace=t1.s2t,x
expect 'no key' 65 "selector 'xyz': expected NAME=VALUE or the first digits" compare a.db a.db:xyz
for damage in 's/"walks":[0-9]*,//' 's/"walks":/"wlaks":/' 's/"stage2.ipa_bits":40/"stage2.ipa_bits":99/' 's/"digest":"/"digest":"x/' \
	's/stage2.ipa_bits/stage2.ipa_bots/' 's/"engine":"[0-9]*",//' 's/}$//' 's/"walks":\([0-9]*\)/"walks":"-\1"/' 's/"stats":{.*}/"stats":7}/'; do
	sed "$damage" r.json >bad.json
	expect "damage $damage" 65 '^bad.json: line 1:.*error: ' compare r.json bad.json
	[ "$(wc -l <out)" -eq 1 ] && pass 'one line' || fail "$damage: not one line"
done
head -c 3000 a.db >half.db
expect 'damaged database' 65 'half.db' compare half.db a.db
expect 'full disk' 74 'No space left' sh -c '"$TWOSTAGE" compare a.db a.db >/dev/full'
finish
