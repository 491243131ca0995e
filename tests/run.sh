#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh [NAME...] - run the tests (all, or those whose path contains a NAME) and sum up.
#
# A test is a program build-asan/tests/*/test_*, a script tests/*/*.sh (this one apart) or a check
# scripts/check-*.sh. Each runs in the top folder with a TMPDIR of its own, that is removed after it, and with
#   TWOSTAGE        the program with address and undefined-behaviour sanitizers
#   TWOSTAGE_FAST   the program as released (gcc), TWOSTAGE_CLANG the same from clang
#   TWOSTAGE_LONG   1 in `make check-long`, else empty
# A test fails by its exit status. Its cases are counted when it prints them (cmocka does; a script
# may end with a line "N passed, N failed"); otherwise it counts as one. The last line printed here is
# the sum. Nothing is skipped: a test that misses a tool must fail.
set -u
cd "$(dirname "$0")/.." || exit 70

TWOSTAGE=$PWD/build-asan/twostage
TWOSTAGE_FAST=$PWD/build-gcc/twostage
TWOSTAGE_CLANG=$PWD/build-clang/twostage
ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:exitcode=99}
UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
LC_ALL=C
export TWOSTAGE TWOSTAGE_FAST TWOSTAGE_CLANG TWOSTAGE_LONG ASAN_OPTIONS UBSAN_OPTIONS LC_ALL

logs=$(mktemp -d) || exit 70
trap 'rm -rf "$logs"' EXIT
trap 'exit 75' INT TERM HUP

# Source files decide, so that a test that was not built fails instead of vanishing.
list_tests() {
	for f in scripts/check-*.sh; do echo "$f"; done
	for f in tests/*/test_*.c; do
		[ -e "$f" ] && echo "build-asan/${f%.c}"
	done
	for f in tests/*/*.sh; do
		[ -e "$f" ] && echo "$f"
	done
}

# count LOG RC -> "passed failed"
count() {
	tail -n 1 "$1" | awk -v rc="$2" '
		/^[0-9]+ passed, [0-9]+ failed$/ { print $1, ($3 == 0 && rc != 0) ? 1 : $3; found = 1 }
		END { exit !found }' && return
	awk -v rc="$2" '
		/^\[       OK \]/ { ok++ }
		/^\[  FAILED  \] [A-Za-z_]/ || /^\[  ERROR   \] [A-Za-z_]/ { bad[$NF] = 1 }
		END {
			for (b in bad) n++
			if (rc != 0 && n == 0) n = 1
			if (rc == 0 && ok + n == 0) ok = 1
			print ok + 0, n + 0
		}' "$1"
}

# A test is at its end when one of its processes worked for too long, or when it waits for something that does not come.
# A machine that is busy with other work makes it neither.
limited() {
	(
		ulimit -S -t $((2 * limit))
		exec timeout -k 5 $((8 * limit)) "$@"
	)
}

run_one() {
	name=$1
	log=$logs/$(echo "$name" | tr / _)
	mkdir "$log.tmp"
	begin=$(date +%s)
	case $name in
	*.sh) TMPDIR=$log.tmp limited sh "$name" >"$log.log" 2>&1 ;;
	*) TMPDIR=$log.tmp limited "./$name" >"$log.log" 2>&1 ;;
	esac
	rc=$?
	rm -rf "$log.tmp"
	end=$(date +%s)
	counts=$(count "$log.log" "$rc")
	echo "$counts" >"$log.count"
	if [ "$rc" -eq 0 ] && [ "${counts#* }" -eq 0 ]; then
		echo "ok     $name (${counts% *}, $((end - begin)) s)"
	else
		case $rc in
		0) why='failed' ;;
		124 | 137) why="no end after $((8 * limit)) s" ;;
		152) why="no end after $((2 * limit)) s of processor time" ;;
		126 | 127) why='not built or not runnable' ;;
		*) why="exit status $rc" ;;
		esac
		# One write, so that two tests do not mix their lines.
		echo "FAILED $name: $why
$(tail -n 60 "$log.log" | sed 's/^/    /')"
	fi
}

limit=240
[ -n "${TWOSTAGE_LONG:-}" ] && limit=3600
TWOSTAGE_LONG=${TWOSTAGE_LONG:-}

wanted() {
	[ $# -eq 1 ] && return 0
	test=$1
	shift
	for part in "$@"; do
		case $test in *"$part"*) return 0 ;; esac
	done
	return 1
}

# The longest come first, so that none is left alone at the end.
longest='repro/lru cli/studies cli/systemc bench/instructions cli/sweep repro/test_run_forms repro/test_identities cli/slice
	unit/test_trace_import cli/compilers cli/sample cli/dry-run cli/find cli/memory cli/tlm crash/disk crash/kill cli/feed'
list_tests >"$logs/any"
{
	for t in $longest; do grep -F "/$t" "$logs/any"; done
	cat "$logs/any"
} | awk '!seen[$0]++' >"$logs/all"
while read -r t; do wanted "$t" "$@" && echo "$t"; done <"$logs/all" >"$logs/todo"

# One lane for each processor; a lane takes the next test by making its folder.
lane() {
	while read -r t; do
		mkdir "$logs/$(echo "$t" | tr / _).taken" 2>/dev/null && run_one "$t" </dev/null
	done <"$logs/todo"
}
n=$(nproc)
while [ "$n" -gt 1 ]; do
	lane &
	n=$((n - 1))
done
lane
wait

passed=0 failed=0
while read -r t; do
	read -r p f 2>/dev/null <"$logs/$(echo "$t" | tr / _).count" || { p=0 f=1; }
	passed=$((passed + p)) failed=$((failed + f))
done <"$logs/todo"
[ $((passed + failed)) -gt 0 ] || { echo "run.sh: error: no test was run"; failed=1; }
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
