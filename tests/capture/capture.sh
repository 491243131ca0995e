#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The capture plug-in under QEMU: exact counts, forms that agree, damage that can be salvaged.
. tests/lib.sh
: "${TWOSTAGE:?}"

here=tests/capture
cross='aarch64-linux-gnu-gcc -static -Itraces/capture'
$cross -nostdlib -o "$work/known" $here/known.S &&
	$cross -nostdlib -Wl,-Ttext=0x40080000 -o "$work/machine" $here/machine.S &&
	$cross -O1 -pthread -o "$work/busy" $here/busy.c &&
	gcc -std=c17 -Wall -Wextra -Werror -Itraces/capture -shared -fPIC -o "$work/count.so" \
		$here/count.c || fail "a program of the test does not compile"
plugin=$PWD/build-gcc/capture.so
[ -e "$plugin" ] || fail 'the plug-in was not built'

# user TRACE,OPTIONS PROGRAM...
user() {
	argument=file=$plugin,out=$work/$1
	shift
	qemu-aarch64 -cpu neoverse-n1 -R 0x8000000000 -seed 1 -plugin "$argument" "$@"
}

# totals TRACE - "fetches loads stores splits"
totals() {
	"$TWOSTAGE" trace info "$work/$1" | awk '
		/^(fetches|loads|stores|splits) / { value[$1] = $2 }
		END { print value["fetches"], value["loads"], value["stores"], value["splits"] }'
}

same() {
	if [ "$2" = "$3" ]; then pass "$1"; else fail "$1: '$2', expected '$3'"; fi
}

content() {
	"$TWOSTAGE" trace info "$work/$1" | sed -n 's/^content *//p'
}

# ---- exact counts --------------------------------------------------------------------------------

all='6071 1001 3012 2'
for form in raw line page; do
	expect "known program, $form" 7 '' user known.$form,granularity=$form "$work/known"
	same "totals, $form" "$(totals known.$form)" "$all"
	expect "trace is sound, $form" 0 '' "$TWOSTAGE" trace check "$work/known.$form"
done
for form in line page; do
	"$TWOSTAGE" trace convert -g $form "$work/known.raw" -o "$work/made.$form" >"$work/out" 2>&1
	same "raw made $form as captured" "$(content made.$form)" "$(content known.$form)"
done
expect 'start mark' 7 '' user mark,start=mark "$work/known"
same 'totals from the mark on' "$(totals mark)" '6067 1001 3012 2'
expect 'skip and limit' 0 '1000 accesses .* 500 skipped' user part,skip=500,limit=1000 "$work/known"
expect 'limit, guest runs on' 7 '' user part2,skip=500,limit=1000,after=run "$work/known"
same 'the same part' "$(content part)" "$(content part2)"

qemu-aarch64 -cpu neoverse-n1 -R 0x8000000000 -seed 1 -plugin file="$work/count.so" "$work/busy" \
	>"$work/out" 2>"$work/counted"
expect 'a larger program' 0 '' user one "$work/busy"
same 'counts as by inline counters' "$(totals one | awk '{ print $1, $2 + $3, $3 }')" \
	"$(awk '{ print $2, $4, $6 }' "$work/counted")"
[ "$(awk '{ print $8 + 0 }' "$work/counted")" -gt 1000 ] || fail 'no DC ZVA in the larger program'
user again "$work/busy" >"$work/out" 2>&1
same 'twice the same' "$(content again)" "$(content one)"
"$TWOSTAGE" trace info "$work/one" | grep -q '^events *0$' && fail 'munmap made no event'

# ---- threads and children ------------------------------------------------------------------------

expect 'threads' 0 '' user threads,granularity=raw "$work/busy" threads
expect 'threads: a sound trace' 0 '' "$TWOSTAGE" trace check "$work/threads"
# Numbers are used again when a thread has ended.
same 'threads: all their stores' "$("$TWOSTAGE" trace cat "$work/threads" |
	awk -F, '$1 > 0 && $5 == "store" { n++ } END { print (n >= 40000) }')" 1
expect 'fork' 0 '' user fork "$work/busy" fork
expect 'fork: a sound trace' 0 '' "$TWOSTAGE" trace check "$work/fork"

# ---- a machine -----------------------------------------------------------------------------------

expect 'machine' 0 '' qemu-system-aarch64 -M virt -cpu cortex-a57 -m 64 -display none -nic none \
	-monitor none -serial none -kernel "$work/machine" \
	-plugin "file=$plugin,out=$work/machine.s2t,granularity=raw"
"$TWOSTAGE" trace cat "$work/machine.s2t" >"$work/machine.csv"
field() {
	awk -F, -v va="$1" -v column="$2" '$5 != "fetch" && $6 == va { print $column }' "$work/machine.csv" |
		head -n 1
}
same 'machine: IPA of a store' "$(field 0x40200000 8)" 0x40200000
same 'machine: IPA of its other address' "$(field 0x80200000 8)" 0x40200000
same 'machine: ASID' "$(field 0x80200000 3)" 17
same 'machine: device' "$(field 0x9000018 9)" 1
same 'machine: IPA of each fetch' \
	"$(awk -F, '$5 == "fetch" && $6 != $8 { n++ } END { print n + 0 }' "$work/machine.csv")" 0
same 'machine: context switches' "$(grep -c '^#.*context' "$work/machine.csv")" 2
same 'machine: TLBI' "$(grep -c '^#.*tlbi' "$work/machine.csv")" 1

expect 'machine: from the mark on' 0 '' qemu-system-aarch64 -M virt -cpu cortex-a57 -m 64 \
	-display none -nic none -monitor none -serial none -kernel "$work/machine" \
	-plugin "file=$plugin,out=$work/marked.s2t,granularity=raw,start=mark"
"$TWOSTAGE" trace cat "$work/marked.s2t" >"$work/machine.csv"
same 'machine: ASID set before the mark' "$(field 0x80200000 3)" 17
same 'machine: tables set before the mark' "$(grep -c '^#.*context' "$work/machine.csv")" 2

# A machine that stops at the limit is still there: its monitor answers, and says so.
stopped() (
	trap '' PIPE
	mkfifo "$work/monitor" || exit
	qemu-system-aarch64 -M virt -cpu cortex-a57 -m 64 -display none -nic none \
		-monitor stdio -serial none -kernel "$work/machine" \
		-plugin "file=$plugin,out=$work/stopped.s2t,limit=20,after=stop" <"$work/monitor" >"$work/answers" &
	machine=$!
	exec 3>"$work/monitor"
	until grep -q 'VM status: paused' "$work/answers" || ! kill -s 0 $machine 2>/dev/null; do
		sleep 0.1
		echo 'info status' >&3
	done
	echo quit >&3
	exec 3>&-
	wait $machine && cat "$work/answers"
)
expect 'machine: stopped at the limit' 0 'VM status: paused' stopped
expect 'machine: its trace is whole' 0 '' "$TWOSTAGE" trace check "$work/stopped.s2t"

# ---- what goes wrong -----------------------------------------------------------------------------

full() {
	(
		ulimit -f 2000
		user full,granularity=raw "$work/busy"
	)
}
expect 'file size limit' 74 'capture: error: .*full: byte [0-9]+: cannot write' full
expect 'damaged trace' 65 '' "$TWOSTAGE" trace check "$work/full"
expect 'salvaged' 0 '' "$TWOSTAGE" trace check --salvage "$work/full"
"$TWOSTAGE" trace info --salvage "$work/full" 2>&1 | grep -q '^accesses *[1-9][0-9]' ||
	fail 'nothing was salvaged'
expect 'no such folder' 1 'nowhere/t: cannot create' user nowhere/t "$work/known"
expect 'unknown option' 1 'speed=1: expected out' user t,speed=1 "$work/known"
expect 'bad number' 1 'skip=many: expected a number' user t,skip=many "$work/known"
expect 'what is after?' 1 'after=pause: expected exit, run or stop' user t,after=pause "$work/known"
expect 'no trace named' 1 'expected out=FILE' qemu-aarch64 -plugin "file=$plugin" "$work/known"
expect 'no such recipe' 66 'nonesuch.*no such recipe' sh scripts/capture.sh nonesuch
expect 'no recipe' 64 'gups' sh scripts/capture.sh

finish
