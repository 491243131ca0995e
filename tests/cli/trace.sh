#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage trace` from end to end: make, convert, look at, damage.
. tests/lib.sh
: "${TWOSTAGE:?}"

# totals TRACE - what must be the same in every granularity and format
totals() {
	"$TWOSTAGE" trace info --json "$@" |
		sed 's/.*"stats":{\(.*\),"events".*/\1/'
}

# same NAME A B
same() {
	if [ -n "$2" ] && [ "$2" = "$3" ]; then
		pass
	else
		fail "$1: '$2' is not '$3'"
	fi
}

cat >"$work/spec.yaml" <<'YAML'
seed: 7
vcpus: 2
vms: 3
quantum: 5k
fetches: 1
footprint: 4M
size: 16
phases:
  - {pattern: gups, accesses: 20k}
  - {pattern: zipf, skew: 1.1, stores: 20, accesses: 30k, item: 100, size: 8}
  - {pattern: chase, accesses: 20k, item: 24, size: 16}
  - {pattern: stencil, accesses: 20k}
YAML
gen() {
	expect "gen $*" 0 '' "$TWOSTAGE" trace gen "$work/spec.yaml" "$@"
}
gen -o "$work/raw.s2t" -g raw
gen -o "$work/raw2.s2t" -g raw
gen -o "$work/line.s2t" -g line
gen -o "$work/page.s2t"
expect 'same bytes again' 0 '' cmp "$work/raw.s2t" "$work/raw2.s2t"
expect 'info' 0 '^loads +[1-9]' "$TWOSTAGE" trace info "$work/raw.s2t"
expect 'provenance' 0 '^phase 2: pattern=zipf.*skew=1.100' "$TWOSTAGE" trace info "$work/page.s2t"
expect 'splits' 0 '^splits +[1-9]' "$TWOSTAGE" trace info "$work/raw.s2t"
expect 'check' 0 'page.s2t: ok, .* 180000 accesses' "$TWOSTAGE" trace check \
	"$work/raw.s2t" "$work/line.s2t" "$work/page.s2t"
same 'raw = line' "$(totals "$work/raw.s2t")" "$(totals "$work/line.s2t")"
same 'raw = page' "$(totals "$work/raw.s2t")" "$(totals "$work/page.s2t")"

# Conversion: to each coarser form, and there and back through text.
for from in raw line; do
	for to in line page; do
		expect "$from to $to" 0 '' "$TWOSTAGE" trace convert -g $to -o "$work/c.s2t" "$work/$from.s2t"
		same "$from to $to" "$(totals "$work/raw.s2t")" "$(totals "$work/c.s2t")"
	done
done
expect 'finer' 65 'page runs cannot become finer' \
	"$TWOSTAGE" trace convert -g line -o "$work/c.s2t" "$work/page.s2t"
"$TWOSTAGE" trace cat "$work/raw.s2t" >"$work/raw.csv"
same 'csv' "$(totals "$work/raw.s2t")" "$(totals "$work/raw.csv")"
expect 'csv to raw' 0 '' "$TWOSTAGE" trace convert -g raw -o "$work/c.s2t" "$work/raw.csv"
"$TWOSTAGE" trace cat "$work/c.s2t" | grep -v '#' >"$work/c.csv"
grep -v '#' "$work/raw.csv" >"$work/d.csv"
expect 'text comes back' 0 '' cmp "$work/c.csv" "$work/d.csv"
for pack in gzip xz zstd; do
	expect "$pack" 0 '' $pack -q -k "$work/raw.csv" "$work/page.s2t"
done
for packed in gz xz zst; do
	same "$packed" "$(totals "$work/raw.s2t")" "$(totals "$work/raw.csv.$packed")"
	same "native $packed" "$(totals "$work/raw.s2t")" "$(totals "$work/page.s2t.$packed")"
done
same 'standard input' "$(totals "$work/raw.s2t")" "$(totals - <"$work/raw.csv.zst")"

# Forks and unmaps: seen, kept by conversion, and the same counts from each form.
expect 'gen of forks' 0 '' "$TWOSTAGE" trace gen --accesses 30k --footprint 1M --stores 40 --fork_every 4k \
	--unmap_every 3k --unmap 64K -g raw -o "$work/forks.s2t"
expect 'fork' 0 '^# event fork vcpu 0 vm 0 asid 1 0x2 0x0$' "$TWOSTAGE" trace cat "$work/forks.s2t"
expect 'forks to page' 0 '' "$TWOSTAGE" trace convert -g page -o "$work/forks.page.s2t" "$work/forks.s2t"
for form in forks forks.page; do
	"$TWOSTAGE" run -s guest.policy=linux "$work/$form.s2t" | sed 1d >"$work/$form.txt"
done
expect 'copies' 0 '^ *s1_cow_copies +[1-9]' cat "$work/forks.page.txt"
expect 'forks: raw = page' 0 '' cmp "$work/forks.txt" "$work/forks.page.txt"

# Valgrind's text, as a user has it.
printf '==1== x\nI  04015fb0,3\n L 1ffefff8,8\n S 04222cac,4\n M 0421dffc,16\n' >"$work/lackey"
expect 'lackey' 0 '^splits +2$' "$TWOSTAGE" trace info "$work/lackey"
expect 'cat' 0 '^0,0,0,0,store,0x4222cac,4,,0,0$' "$TWOSTAGE" trace cat "$work/lackey"
expect 'cat of pages' 0 '^0,0,0,0,data,0x421e000,,0,0,0,1,0,6,6,6$' "$TWOSTAGE" trace cat -g page "$work/lackey"
expect 'wrong importer' 65 'lackey: byte 0: expected a label' \
	"$TWOSTAGE" trace info --from din "$work/lackey"

# Damage.
size=$(wc -c <"$work/raw.s2t")
head -c $((size - 1)) "$work/raw.s2t" >"$work/cut.s2t"
expect 'cut' 65 "cut.s2t: byte $((size - 1)): the trace ends without its footer" \
	"$TWOSTAGE" trace info "$work/cut.s2t"
expect 'cut, salvaged' 0 '^complete +no' "$TWOSTAGE" trace info --salvage "$work/cut.s2t"
same 'cut, salvaged' "$(totals "$work/raw.s2t")" "$(totals --salvage "$work/cut.s2t" 2>/dev/null)"
{
	head -c $((size / 2)) "$work/raw.s2t"
	printf 'xxxx'
	tail -c +$((size / 2 + 5)) "$work/raw.s2t"
} >"$work/bad.s2t"
expect 'damaged' 65 'bad.s2t: byte [0-9]+: the checksum' "$TWOSTAGE" trace check "$work/bad.s2t"
expect 'damaged, salvaged' 0 '^records +(65536|131072)$' \
	"$TWOSTAGE" trace info --salvage "$work/bad.s2t"
expect 'what is lost is told' 0 'salvaged what is before this: .*bad.s2t: byte [0-9]+: the checksum' \
	"$TWOSTAGE" trace info --salvage "$work/bad.s2t"
expect 'run of the rest' 0 'salvaged what is before this: .*bad.s2t: byte [0-9]+: the checksum' \
	"$TWOSTAGE" run --salvage -c neoverse-n1 "$work/bad.s2t"
expect 'salvage by convert' 0 'salvaged what is before this' "$TWOSTAGE" trace convert --salvage -o "$work/c.s2t" "$work/bad.s2t"
same 'what it saved' "$(totals --salvage "$work/bad.s2t" 2>/dev/null)" "$(totals "$work/c.s2t")"
head -c 100 "$work/raw.csv.zst" >"$work/cut.zst"
expect 'cut zst' 65 'cut.zst: byte 100 of the compressed file: the zstd data ends too early' \
	"$TWOSTAGE" trace info "$work/cut.zst"
head -c 1000 "$work/raw.csv" >"$work/short.csv"
printf 'oops\n' >>"$work/short.csv"
expect 'bad line, salvaged' 0 'salvaged what is before this: .*short.csv: byte [0-9]+: expected' \
	"$TWOSTAGE" trace info --salvage "$work/short.csv"
for format in din lackey; do
	case $format in din) line='2 4015fb0' ;; *) line='I  4015fb0,3' ;; esac
	{
		yes "$line" | head -n 20
		echo oops
	} >"$work/late.$format"
	expect "a late bad line of $format" 65 "late.$format: byte [1-9][0-9]*: expected" \
		"$TWOSTAGE" trace info "$work/late.$format"
done
printf 'no trace at all\n' >"$work/text"
expect 'no trace' 65 'text: byte 0: expected a trace in a known format' "$TWOSTAGE" trace info "$work/text"
expect 'no file' 66 'nothing.s2t: No such file' "$TWOSTAGE" trace info "$work/nothing.s2t"
expect 'folder' 74 '' "$TWOSTAGE" trace info "$work"

# A full disk leaves no half-written trace behind, and says so.
expect 'full disk' 74 'No space left on device' "$TWOSTAGE" trace convert -o /dev/full "$work/raw.s2t"
expect 'full disk is a device still' 0 '' test -c /dev/full
expect 'no such folder' 74 'none/x.s2t: cannot create' "$TWOSTAGE" trace gen -o "$work/none/x.s2t"
mkdir "$work/tidy"
expect 'refused input' 65 '' "$TWOSTAGE" trace convert -o "$work/tidy/c.s2t" "$work/bad.s2t"
same 'nothing left' "$(ls "$work/tidy" | wc -l)" 0

# Usage and specifications.
expect 'no output' 64 'name it with -o' "$TWOSTAGE" trace gen
expect 'no trace' 64 'no trace' "$TWOSTAGE" trace info
expect 'bad granularity' 64 "expected page, line or raw" "$TWOSTAGE" trace cat -g word x
expect 'bad value' 64 'footprint 1Q: expected bytes' "$TWOSTAGE" trace gen --footprint 1Q -o "$work/x.s2t"
expect 'value out of range' 64 'vcpus 0: expected 1 to 1024' "$TWOSTAGE" trace gen --vcpus 0 -o "$work/x.s2t"
expect 'misspelt command' 64 "did you mean 'info'" "$TWOSTAGE" trace inof
printf 'seed: 1\nphases:\n  - patern: gups\n' >"$work/bad.yaml"
expect 'misspelt key' 65 "bad.yaml:3:5: error: no key 'patern'; did you mean 'pattern'" \
	"$TWOSTAGE" trace gen -o "$work/x.s2t" "$work/bad.yaml"
printf 'phases:\n  - pattern: gups\n    seed: 3\n' >"$work/bad.yaml"
expect 'key out of place' 65 'bad.yaml:3:5: error: .seed. holds for all phases' \
	"$TWOSTAGE" trace gen -o "$work/x.s2t" "$work/bad.yaml"
printf 'accesses: [1]\n' >"$work/bad.yaml"
expect 'wrong type' 65 'bad.yaml:1:11: error: accesses: expected a number' \
	"$TWOSTAGE" trace gen -o "$work/x.s2t" "$work/bad.yaml"
printf 'seed: 1\nseed: 2\n' >"$work/bad.yaml"
expect 'key twice' 65 'bad.yaml:2:1: error:' "$TWOSTAGE" trace gen -o "$work/x.s2t" "$work/bad.yaml"
finish
