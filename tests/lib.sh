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

# Ends the script; the last line is what tests/run.sh counts.
finish() {
	echo "$passed passed, $failed failed"
	[ $failed -eq 0 ]
	exit
}
