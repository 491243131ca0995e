#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `make bench` says where the time goes: the shares of decoding, TLBs and walks, and the host's counters where it has them.
. tests/lib.sh
: "${TWOSTAGE:?}"
bench=$PWD/build-asan/tests/bench/bench_replay
cd "$work" && cp -r "$OLDPWD/models" models || exit 70
"$TWOSTAGE" trace gen --pattern gups --footprint 64M --accesses 200000 --fetches 0 --seed 4 -o walks.s2t || fail 'trace gen'
"$TWOSTAGE" trace gen --pattern stride --stride 4096 --footprint 64K --accesses 4M --fetches 1 --code 16K -o hits.s2t || fail 'trace gen'
measure() {
	"$bench" -r 3 walks.s2t hits.s2t >out.json || fail 'bench'
}
# plausible TRACE CONDITION - of the shares, which are measured: a machine that is busy for a moment spoils one of five tries,
# a clock that is wrong all of them
plausible() {
	for _ in 1 2 3 4; do
		[ "$(jq ".traces[$1] | $2" out.json)" = true ] && break
		measure
	done
	expect "shares of trace $1" 0 '^true$' jq ".traces[$1] | $2" out.json
}
measure
sums='[.traces[] | .decode_share + .tlb_share + .walk_share | . > 0.997 and . < 1.003] | all'
expect 'the shares are the whole' 0 '^true$' jq "$sums" out.json
# Random accesses walk, hits do not.
plausible 0 '.walk_share > 0.3 and .walk_share < 1'
plausible 1 '.walk_share < 0.2 and .tlb_share > 0.3'
known='[.traces[].host | .cycles_per_access, .cache_misses_per_access, .dtlb_misses_per_access | . == null or . >= 0] | all'
expect 'counters, or null' 0 '^true$' jq "$known" out.json
expect 'cycles are some' 0 '^true$' jq '[.traces[].host.cycles_per_access | . == null or . > 0] | all' out.json
finish
