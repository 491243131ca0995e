#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# conform-kvm.sh [KERNEL:CPU...] - real KVM builds stage-2 tables under QEMU, `twostage map` must build
# the same (docs/conform.md). QEMU is ${QEMU:-qemu-system-aarch64}, B the build folder; RANDOM_SETUPS
# (100) set-ups for each host are made from SEED (1). What KVM built is kept in $B/conform-kvm/. The last
# line sums up.
set -u
cd "$(dirname "$0")/.." || exit 70
B=${B:-build}
QEMU=${QEMU:-qemu-system-aarch64}
TWOSTAGE=${TWOSTAGE:-$B/twostage}
live=$B/tests/conform/kvm-live
cases=tests/conform/kvm-live
out=$B/conform-kvm
[ $# -gt 0 ] || set -- 6.1:max 6.12:max 6.1:neoverse-n1 6.12-16k:max 6.1:cortex-a57
mkdir -p "$out" || exit 74
passed=0 failed=0 jobs=
# shellcheck disable=SC2086
trap '[ -z "$jobs" ] || kill $jobs 2>/dev/null' EXIT
trap 'exit 75' INT TERM HUP

cases_of() {
	case $1 in
	*-16k) echo $cases/cases-16k.txt ;;
	6.1) echo $cases/cases-4k.txt ;;
	*) echo $cases/cases-4k.txt $cases/cases-6.12.txt ;;
	esac
}

# header KERNEL CPU
header() {
	image=$(sh scripts/conform-kernel.sh "$1")
	echo "# What KVM built: $(cat "${image%/*}/package")"
	echo "# under $("$QEMU" --version | head -n 1), -cpu $2."
	echo "# Read out of the machine's memory by scripts/conform-kvm.sh (docs/conform.md)."
	echo
}

# begin KERNEL CPU - sets $job. A child of this shell itself, as it ends with its parent.
begin() {
	header "$1" "$2" >"$out/$1-$2.part"
	# shellcheck disable=SC2046
	"$live/kvm-live" --kernel "$(sh scripts/conform-kernel.sh "$1")" --vmm "$live/vmm" --cpu "$2" \
		--qemu "$QEMU" --random "${RANDOM_SETUPS:-100}" \
		--seed "${SEED:-1}" $(cases_of "$1") >>"$out/$1-$2.part" 2>"$out/$1-$2.log" &
	job=$!
	jobs="$jobs $job"
}

# end KERNEL CPU JOB - a host that does not end in a sum has failed.
end() {
	built=$out/$1-$2.txt
	if wait "$3" && mv "$out/$1-$2.part" "$built"; then
		"$TWOSTAGE" map --check "$built" >>"$out/$1-$2.log" 2>&1
	else
		echo "no result" >>"$out/$1-$2.log"
	fi
	read -r p _ f _ <<-END
		$(tail -n 1 "$out/$1-$2.log" | grep -E '^[0-9]+ passed, [0-9]+ failed$' ||
			echo '0 passed, 1 failed')
	END
	[ "$f" -eq 0 ] || cat "$out/$1-$2.log"
	echo "Linux $1 on $2: $(grep -c ^name= "$built") set-ups, $p snapshots agree, $f do not"
	passed=$((passed + p)) failed=$((failed + f))
}

# First of all what needs the network.
for host; do
	sh scripts/conform-kernel.sh "${host%%:*}" >/dev/null || exit
done

# Two at a time.
while [ $# -gt 0 ]; do
	begin "${1%%:*}" "${1#*:}"
	first=$1 first_job=$job second=
	shift
	if [ $# -gt 0 ]; then
		begin "${1%%:*}" "${1#*:}"
		second=$1
		shift
	fi
	end "${first%%:*}" "${first#*:}" "$first_job"
	[ -z "$second" ] || end "${second%%:*}" "${second#*:}" "$job"
	jobs=
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
