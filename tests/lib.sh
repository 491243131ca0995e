# SPDX-License-Identifier: BSD-2-Clause
# For scripts of tests: `. tests/lib.sh`, cases by `expect`, `finish` at the end.
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# pass NAME, fail NAME [WHY...]
pass() {
	passed=$((passed + 1))
}
fail() {
	failed=$((failed + 1))
	echo "not ok: $*"
}

# expect NAME STATUS PATTERN COMMAND... - the command ends with STATUS and a line of its output
# (standard output and error together, kept in $work/out) matches the extended regular expression;
# an empty PATTERN asks for nothing.
expect() {
	name=$1 status=$2 pattern=$3
	shift 3
	"$@" >"$work/out" 2>&1 </dev/null
	got=$?
	if [ $got -ne "$status" ]; then
		fail "$name: exit status $got, not $status"
		head -n 15 "$work/out" | cut -c 1-300 | sed 's/^/    /'
	elif [ -n "$pattern" ] && ! grep -qE -e "$pattern" "$work/out"; then
		fail "$name: no line matches $pattern"
		head -n 15 "$work/out" | cut -c 1-300 | sed 's/^/    /'
	else
		pass "$name"
	fi
}

# wait_for_points DATABASE N PID - until a sweep has written so many points, or has ended
wait_for_points() {
	until [ "$(sqlite3 -cmd '.timeout 2000' "$1" 'SELECT count(*) FROM point' 2>/dev/null || echo 0)" -ge "$2" ]; do
		kill -s 0 "$3" 2>/dev/null || return
		sleep 0.01
	done
}

# disturb WHAT DATABASE N COMMAND... - runs the command, and calls WHAT with its process number as soon as the database
# has N points. Where that comes only after its end, since the machine is busy, it is run again with a new
# database. The exit status is in $disturbed, the output in disturbed.log.
disturb() {
	what=$1 database=$2 points=$3
	shift 3
	for _ in $(seq 30); do
		rm -f "$database"*
		"$@" >disturbed.log 2>&1 &
		disturbed_pid=$!
		wait_for_points "$database" "$points" $disturbed_pid
		"$what" $disturbed_pid
		wait $disturbed_pid
		disturbed=$?
		[ $disturbed -eq 0 ] || return
	done
}
terminate() {
	kill -s TERM "$1" 2>/dev/null
}

# two_traces FOOTPRINT ACCESSES - $work/t1.s2t and $work/t2.s2t, uniform and of different seeds
two_traces() {
	for seed in 1 2; do
		"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint "$1" --accesses "$2" --seed $seed -o "$work/t$seed.s2t" ||
			fail 'trace gen'
	done
}

# contents DATABASE - its results and its sweeps, without times
contents() {
	"$TWOSTAGE_FAST" db export "$1" && sqlite3 "$1" 'SELECT * FROM sweep ORDER BY name, point'
}

# Ends the script; the last line is what tests/run.sh counts.
finish() {
	echo "$passed passed, $failed failed"
	[ $failed -eq 0 ]
	exit
}
