#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# conform.sh [N [MODEL...]] - the live proof: N random cases (20000) for each CPU model of QEMU,
# answered by QEMU and by our walker. QEMU is ${QEMU:-qemu-system-aarch64}; SEED starts elsewhere; B is
# the build folder. The last line sums up.
set -u
cd "$(dirname "$0")/.." || exit 70
B=${B:-build}
cases=${1:-20000}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- max max,lpa2=off neoverse-n1 cortex-a57 cortex-a35
work=$(mktemp -d) || exit 70
trap 'rm -rf "$work"' EXIT
trap 'exit 75' INT TERM HUP

# One model; its failed cases stay in the build folder.
one() {
	"$B/tests/conform/live/live" --guest "$B/tests/conform/live/guest.elf" \
		--qemu "${QEMU:-qemu-system-aarch64}" --dir "$work/$1" --cpu "$1" \
		--cases "$cases" --seed "${SEED:-1}" >"$work/$1.log" 2>&1 ||
		cp "$work/$1/failed.txt" "$B/conform-failed-$1.txt" 2>/dev/null
	cat "$work/$1.log"
}

# Two at a time.
while [ $# -gt 0 ]; do
	one "$1" &
	shift
	[ $# -eq 0 ] || one "$1"
	[ $# -eq 0 ] || shift
	wait
done

# A model that does not end in a sum has failed.
passed=0 failed=0
for log in "$work"/*.log; do
	read -r p _ f _ <<-END
		$(tail -n 1 "$log" | grep -E '^[0-9]+ passed, [0-9]+ failed$' || echo '0 passed, 1 failed')
	END
	passed=$((passed + p)) failed=$((failed + f))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
