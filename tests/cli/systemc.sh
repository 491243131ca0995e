#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# timing.backend systemc from the command line: one vCPU gives what the analytic backend gives, to the cycle, on every
# committed trace; sweeps; what cannot be.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"

# stats PROGRAM ARGS... - the statistics alone, without the parameters
stats() {
	"$@" | jq -cS .stats
}

for trace in $(awk '{ print $2 }' traces/SHA256SUMS); do
	case $trace in *.s2t) trace=traces/${trace#\*} ;; *) continue ;; esac
	stats "$TWOSTAGE_FAST" run -j "$trace" >"$work/analytic"
	stats "$TWOSTAGE_FAST" run -j --timing systemc "$trace" >"$work/systemc"
	grep -q '"walk_cycles":[1-9]' "$work/analytic" || fail "$trace: no walks"
	expect "$trace" 0 '' cmp "$work/analytic" "$work/systemc"
done
finish
