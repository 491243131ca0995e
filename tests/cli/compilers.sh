#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The programs that gcc and clang built, and the one with sanitizers, give the same results to the byte.
. tests/lib.sh

# one NAME OPTION... - a trace and a configuration through all three programs
one() {
	name=$1
	shift
	for program in "$TWOSTAGE_FAST" "$TWOSTAGE_CLANG" "$TWOSTAGE"; do
		"$program" run --json "$@" >"$work/$(basename "$(dirname "$program")").json" 2>"$work/error" ||
			fail "$name: $program: $(head -n 1 "$work/error")"
	done
	if ! grep -q '"walks":' "$work/build-gcc.json"; then
		fail "$name: no statistics"
	elif cmp "$work/build-gcc.json" "$work/build-clang.json" &&
		cmp "$work/build-gcc.json" "$work/build-asan.json"; then
		pass "$name"
	else
		fail "$name: results differ"
	fi
}

for program in "$TWOSTAGE_FAST" "$TWOSTAGE_CLANG" "$TWOSTAGE"; do
	"$program" run --help >/dev/null || {
		fail "$program was not built"
		finish
	}
done

for pattern in uniform zipf chase gups stencil; do
	for program in "$TWOSTAGE_FAST" "$TWOSTAGE_CLANG" "$TWOSTAGE"; do
		"$program" trace gen --pattern=$pattern --footprint=64M --accesses=200000 --vcpus=2 --seed=7 \
			-o "$work/$(basename "$(dirname "$program")").$pattern.s2t" 2>"$work/error" ||
			fail "trace gen $pattern: $program: $(head -n 1 "$work/error")"
	done
	if cmp "$work/build-gcc.$pattern.s2t" "$work/build-clang.$pattern.s2t" &&
		cmp "$work/build-gcc.$pattern.s2t" "$work/build-asan.$pattern.s2t"; then
		pass "$pattern: the same trace"
	else
		fail "$pattern: traces differ"
	fi
	t=$work/build-gcc.$pattern.s2t
	for model in neoverse-n1 cortex-a53; do
		one "$pattern on $model" -c $model "$t"
	done
	one "$pattern, 1G blocks" -c neoverse-n1 -s guest.pages=2M -s host.backing=1G -s host.block_rule=relaxed "$t"
	one "$pattern, 64K granules" -c armv8-max -s stage1.granule=64K -s stage2.granule=64K -s stage2.ipa_bits=52 "$t"
	one "$pattern, no walk caches" -c armv8-max -s walk_cache.s1.entries=0 -s walk_cache.s2.entries=0 "$t"
	one "$pattern, random" -c neoverse-n1 -s tlb.l2.replacement=random -s seed=3 "$t"
done
for t in traces/*.s2t; do
	[ -e "$t" ] || { fail "no recorded traces"; break; }
	case $t in
	*/xz.s2t | */sqlite.s2t | */linux-boot.s2t) one "$t" -c neoverse-n1 "$t" ;;
	esac
done
finish
