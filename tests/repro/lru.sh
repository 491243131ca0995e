#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# L1 TLB misses of the program against the naive LRU, and the identities between counters, on
# generated and on committed traces.
set -eu
dir=${TMPDIR:-/tmp}/lru
mkdir -p "$dir"
for pattern in stride uniform zipf chase gups stencil; do
	"$TWOSTAGE" trace gen --pattern="$pattern" --footprint=8M --accesses=200000 --seed=7 \
		--vcpus=2 --vms=2 --quantum=3000 --granularity=page -o "$dir/$pattern.s2t"
done
set -- "$dir"/*.s2t
# Every trace that is committed must be there.
if [ -e traces/SHA256SUMS ]; then
	for trace in $(awk '{ print $2 }' traces/SHA256SUMS); do
		case $trace in *.s2t) set -- "$@" "traces/${trace#\*}" ;; esac
	done
fi
build-asan/tests/repro/test_engine_lru "$@"
