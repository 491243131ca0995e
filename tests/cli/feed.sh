#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage run` of foreign traces, whose records are made while they are replayed: the same
# statistics as those of the trace that `trace convert` makes, whatever the format, the packing and
# the configuration; bad input is refused as there.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"

words=$(dirname "$TWOSTAGE")/tests/bench/bench_words

# words NAME OPTIONS... -> NAME.raw8 and the same as NAME.csv
words() {
	name=$1
	shift
	"$TWOSTAGE_FAST" trace gen --seed 5 "$@" -o "$work/gen.s2t" &&
		"$words" "$work/gen.s2t" "$work/$name.raw8" &&
		"$TWOSTAGE_FAST" trace cat "$work/$name.raw8" >"$work/$name.csv" || fail "$name: cannot be made"
}
words one --pattern zipf --footprint 16M --accesses 60000 --fetches 2 --stores 30
words three --pattern gups --footprint 4M --accesses 40000 --vcpus 3 --slice 700 --fetches 1
# The second vCPU comes long after the first 65,536 records.
words later --pattern stride --footprint 1M --accesses 3000 --vcpus 2
words late --pattern gups --footprint 64M --accesses 80000
cat "$work/later.raw8" >>"$work/late.raw8"
tail -n +2 "$work/later.csv" >>"$work/late.csv"

# all FILE -> statistics of a run, without its trace's name and digest
stats_of() {
	"$TWOSTAGE" run --json -c neoverse-n1 "$@" | sed 's/"trace":{[^}]*}//' >"$work/stats"
	[ -s "$work/stats" ] && cat "$work/stats"
}
# same NAME GRANULARITY FILE OPTIONS...: run FILE = convert, then run
same() {
	name=$1 granularity=$2 file=$3
	shift 3
	"$TWOSTAGE_FAST" trace convert -g "$granularity" -o "$work/native.s2t" "$file" || fail "$name: convert"
	stats_of "$@" "$work/native.s2t" >"$work/want"
	stats_of "$@" "$file" >"$work/have"
	expect "$name" 0 '' cmp "$work/want" "$work/have"
	expect "$name: there is something" 0 '"walks":[1-9]' cat "$work/have"
}
for trace in one three late; do
	for form in csv raw8; do
		same "$trace.$form" page "$work/$trace.$form"
	done
	same "$trace, single accesses" raw "$work/$trace.raw8" -s tlb.l1d.replacement=srrip
done
same 'lines' line "$work/one.raw8" -s cache.data=simulate
same 'dirty state' page "$work/one.raw8" -s guest.dirty_state=hardware
same 'other policies' page "$work/three.raw8" -s tlb.l1d.replacement=fifo -s guest.policy=linux
same 'the host acts' page "$work/one.raw8" -s host.age_period=20000 -s host.scan_period=30000
same 'walks beside the core' page "$work/one.raw8" -s core.window_instructions=64 -s walker.count=2
same 'several vCPUs, walks beside the core' page "$work/three.raw8" -s core.window_instructions=64 -s walker.count=2
same 'intervals' page "$work/one.raw8" -s interval.instructions=30000
same 'samples' page "$work/one.raw8" -s sample.period=20000 -s sample.length=2000

stats_of "$work/one.raw8" >"$work/want"
for pack in zstd xz gzip; do
	"$pack" -q -c <"$work/one.raw8" >"$work/packed"
	stats_of --from raw8 "$work/packed" >"$work/have"
	expect "$pack" 0 '' cmp "$work/want" "$work/have"
done
run_pipe() {
	cat "$work/one.raw8" | stats_of --from raw8 -
}
run_pipe >"$work/have"
expect 'standard input' 0 '' cmp "$work/want" "$work/have"

# As `trace convert` refuses it.
refused() {
	expect "$1" "$2" "$3" "$TWOSTAGE" run "$4"
	head -n 1 "$work/out" >"$work/have"
	expect "$1: convert" "$2" "$3" "$TWOSTAGE" trace convert -o "$work/no.s2t" "$4"
	cp "$work/out" "$work/want"
	expect "$1: both alike" 0 '' cmp "$work/want" "$work/have"
}
head -c 100004 "$work/one.raw8" >"$work/cut.raw8"
refused 'cut word' 65 'cut.raw8: byte 100004: the trace ends inside an access, expected 4 bytes more' "$work/cut.raw8"
{
	head -c 200000 "$work/one.raw8"
	printf '\377\377\377\377\377\377\377\377'
	tail -c +200009 "$work/one.raw8"
} >"$work/bad.raw8"
refused 'invalid word' 65 'bad.raw8: byte 200000: expected bits 62 and 63 of an access to be 0' "$work/bad.raw8"
: >"$work/empty.raw8"
refused 'empty' 65 'empty.raw8: byte 0: the file is empty' "$work/empty.raw8"
mkdir "$work/folder.raw8"
refused 'folder' 74 'folder.raw8' "$work/folder.raw8"
refused 'no such file' 66 'nothing.raw8' "$work/nothing.raw8"
zstd -q -c <"$work/one.raw8" | head -c 100000 >"$work/cut.zst"
expect 'cut zstd' 65 'cut.zst: byte [0-9]+ of the compressed file: the zstd data ends too early' "$TWOSTAGE" run \
	--from raw8 "$work/cut.zst"
expect 'salvage' 0 'salvaged what is before this: .*byte 200000' "$TWOSTAGE" run --salvage "$work/bad.raw8"
expect 'salvaged' 0 '^  accesses +25,000 accesses$' "$TWOSTAGE" run --salvage "$work/bad.raw8"
expect 'wrong form for the inclusion' 0 'accesses' "$TWOSTAGE" run -s tlb.inclusion=inclusive "$work/one.raw8"
finish
