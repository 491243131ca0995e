#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The live proof for stage 2 (docs/conform.md): all of it in `make check-long`. Always: the set-ups are
# legal, the harness says what it misses, and nothing of it stays behind.
. tests/lib.sh
: "${TWOSTAGE:?}"
live=build-asan/tests/conform/kvm-live
cases=tests/conform/kvm-live

# host CPU-LINE FILE... - set-ups that a host of ours can run.
host() {
	echo "$1" >"$work/cases.txt"
	shift
	cat "$@" >>"$work/cases.txt"
	expect "$*" 0 '^snap ' "$TWOSTAGE" map "$work/cases.txt"
}
host 'host kernel=6.1 page=4k cpu=max ipa_limit=48 dic=0 fwb=1 lpa2=0' $cases/cases-4k.txt
host 'host kernel=6.12 page=4k cpu=max ipa_limit=52 dic=0 fwb=1 lpa2=1' $cases/cases-4k.txt \
	$cases/cases-6.12.txt
host 'host kernel=6.12 page=16k cpu=max ipa_limit=52 dic=0 fwb=1 lpa2=1' $cases/cases-16k.txt

expect 'usage' 64 'usage' "$live/kvm-live"
expect 'no VMM' 70 'No such file' "$live/kvm-live" --kernel /dev/null --vmm "$work/none"
expect 'not QEMU' 70 'error: ' "$live/kvm-live" --kernel "$live/vmm" --vmm "$live/vmm" --qemu /bin/true
expect 'no QEMU' 70 'No such file' "$live/kvm-live" --kernel "$live/vmm" --vmm "$live/vmm" \
	--qemu "$work/none"
expect 'no kernel with KVM' 70 'no answer of the machine in time' "$live/kvm-live" \
	--kernel "$live/vmm" --vmm "$live/vmm" --timeout 2
expect 'no such kernel' 64 'name a kernel' sh scripts/conform-kernel.sh 5.10

# Killed in the middle: the machine goes with it. A wrapper tells its process.
cat >"$work/qemu" <<END
#!/bin/sh
echo \$\$ >'$work/pid'
exec qemu-system-aarch64 "\$@"
END
chmod +x "$work/qemu"
"$live/kvm-live" --kernel "$live/vmm" --vmm "$live/vmm" --qemu "$work/qemu" --timeout 600 \
	>/dev/null 2>&1 &
reader=$!
tries=0
until [ -s "$work/pid" ] || [ $tries -eq 600 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
# Not even one that nobody has waited for yet counts.
alive() {
	case $(sed "s/.*) //" "/proc/$1/stat" 2>/dev/null) in
	"" | Z*) return 1 ;;
	esac
}
machine=$(cat "$work/pid")
if [ -n "$machine" ] && alive "$machine"; then pass; else fail 'QEMU does not run'; fi
kill -9 $reader
wait $reader 2>/dev/null
tries=0
while alive "$machine" && [ $tries -lt 600 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
if alive "$machine"; then fail 'QEMU outlives us'; else pass; fi

[ -z "${TWOSTAGE_LONG:-}" ] || {
	B=build-asan sh scripts/conform-kvm.sh >"$work/live" 2>&1
	cat "$work/live"
	read -r p _ f _ <<-END
		$(tail -n 1 "$work/live" | grep -E '^[0-9]+ passed, [0-9]+ failed$' || echo '0 passed, 1 failed')
	END
	passed=$((passed + p)) failed=$((failed + f))
}
finish
