#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A short live proof on each CPU model (docs/conform.md); then the cases that QEMU and our walker
# agree on, as text, through the program.
. tests/lib.sh

cases=250
[ -z "${TWOSTAGE_LONG:-}" ] || cases=40000
B=build-asan
live=$B/tests/conform/live/live
guest=$B/tests/conform/live/guest.elf

for cpu in max max,lpa2=off neoverse-n1 cortex-a57 cortex-a35; do
	expect "$cpu" 0 '^[1-9][0-9]+ passed, 0 failed$' \
		"$live" --guest "$guest" --dir "$work/$cpu" --cpu "$cpu" --cases "$cases" \
		--timeout 1200 --write "$work/$cpu.txt"
	expect "$cpu through translate" 0 '^[1-9][0-9]+ passed, 0 failed$' \
		"$TWOSTAGE" translate --check "$work/$cpu.txt"
done

expect 'not QEMU' 70 'not QEMU' "$live" --guest "$guest" --dir "$work/x" --qemu /bin/true
expect 'no guest' 70 'no such|No such' "$live" --guest "$work/none" --dir "$work/x"
expect 'unknown CPU' 70 'gave no answer' "$live" --guest "$guest" --dir "$work/x" --cpu none
expect 'no folder' 74 'No such file' "$live" --guest "$guest" --dir "$work/x/y/z"
finish
