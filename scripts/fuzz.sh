#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# fuzz.sh search|keep SECONDS TARGET... - run each fuzz target of build-fuzz for so long, from its corpus and
# from what earlier runs found (build-fuzz/found). "keep" then puts what covers more into tests/fuzz/corpus,
# minimised (but for mended-* there, which were failures once). An input that fails is left in
# build-fuzz/failures; `build-fuzz/tests/fuzz/fuzz_TARGET FILE`
# repeats it. Exit status 1 if there was one.
set -u
cd "$(dirname "$0")/.." || exit 70

mode=$1 seconds=$2
shift 2
max_bytes=4000
bad=0
mkdir -p build-fuzz/failures
# Large buffers come and go: a small quarantine is faster by far.
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:quarantine_size_mb=16:malloc_context_size=8

for name in "$@"; do
	program=build-fuzz/tests/fuzz/fuzz_$name
	corpus=tests/fuzz/corpus/$name
	found=build-fuzz/found/$name
	log=build-fuzz/$name.log
	mkdir -p "$found" "$corpus"
	if "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=$max_bytes \
		-artifact_prefix="build-fuzz/failures/$name-" -print_final_stats=1 \
		"$found" "$corpus" >"$log" 2>&1 </dev/null; then
		runs=$(awk '/number_of_executed_units/ { print $2 }' "$log")
		cover=$(awk '/ cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i + 1) } END { print c + 0 }' "$log")
		echo "fuzz $name: $runs inputs, $cover edges, no failure"
	else
		bad=1
		echo "fuzz $name: FAILED"
		grep -vE '^(#[0-9]|INFO|\tNEW_FUNC|stat::|0x)' "$log" | tail -n 40
		continue
	fi
	if [ "$mode" = keep ]; then
		kept=build-fuzz/kept/$name
		rm -rf "$kept" && mkdir -p "$kept"
		"$program" -merge=1 -use_counters=0 -timeout=20 -max_len=$max_bytes "$kept" "$corpus" "$found" \
			>>"$log" 2>&1 </dev/null || { echo "fuzz $name: merging failed"; bad=1; continue; }
		find "$corpus" -type f ! -name 'mended-*' -delete
		cp "$kept"/* "$corpus"/
		echo "fuzz $name: $(ls "$corpus" | wc -l) files, $(cat "$corpus"/* | wc -c) bytes kept"
	fi
done
exit $bad
