#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Where foreign traces are converted: in TMPDIR, once a command, whatever the number of points and workers; what
# cannot be made or written is told; nothing stays there, after SIGKILL either.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"
cd "$work" || exit 70
"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 32M --accesses 100000 --seed 1 --granularity raw -o t.s2t || fail 'trace gen'
"$TWOSTAGE_FAST" trace cat t.s2t >t.csv
gzip -k t.s2t
cat >gen.yaml <<'SPEC'
pattern: uniform
footprint: 32M
accesses: 100000
SPEC
sweep() {
	printf 'name: s\nmodels: neoverse-n1\ntraces: %s\naxes: { stage2.ipa_bits: [40, 42, 44, 48], host.backing: [4K, 2M] }\n' "$1"
}
sweep t.csv >s.yaml
mkdir tmp
TMPDIR=$work/tmp
export TMPDIR

# empty NAME - nothing was left there
empty() {
	expect "$1: nothing stays" 0 '^0$' sh -c 'ls -A tmp | wc -l'
}

# A pipe can be read once.
mkfifo pipe.csv
sweep pipe.csv >pipe.yaml
expect 'a native trace' 0 ' 8 run' "$TWOSTAGE" sweep -j 2 -o native.db s.yaml
cat t.csv >pipe.csv &
expect 'read once for all points and workers' 0 ' 8 run' timeout 60 "$TWOSTAGE" sweep -j 2 -o pipe.db pipe.yaml
wait
expect 'the points of both are the same' 0 ' 0 new points' "$TWOSTAGE" db merge native.db pipe.db
empty 'sweep'

# How much may be written stands for how much room there is. `sh -c` gets the command as its arguments.
for trace in t.csv t.s2t.gz gen.yaml; do
	# shellcheck disable=SC2016
	expect "$trace: no room" 74 "^twostage: error: temporary file in $work/tmp for $trace: .*File too large\$" \
		sh -c 'ulimit -f 20; exec "$@"' - "$TWOSTAGE_FAST" mrc $trace
	cp out said
	expect "$trace: one line" 0 '^1$' grep -c '' said
	empty "$trace: no room"
	expect "$trace: no such TMPDIR" 74 "^twostage: error: TMPDIR: /nonexistent: cannot make a temporary file for $trace: No such" \
		env TMPDIR=/nonexistent "$TWOSTAGE" mrc $trace
done
# shellcheck disable=SC2016
expect 'sweep: no room' 74 'temporary file in .* for t.csv: .*File too large$' \
	sh -c 'ulimit -f 20; exec "$@"' - "$TWOSTAGE_FAST" sweep -o none.db s.yaml
expect 'sweep: nothing was begun' 1 '' test -e none.db
expect 'samples: no room' 74 'temporary file in .* for t.csv: .*File too large$' sh -c 'ulimit -f 20; exec "$@"' - \
	"$TWOSTAGE_FAST" run -c neoverse-n1 -s sample.period=1000 -s sample.length=100 -s sample.warm=100 t.csv
expect 'a replay needs none' 0 'walks' env TMPDIR=/nonexistent "$TWOSTAGE" run -c neoverse-n1 t.csv
expect 'TMPDIR that is empty' 0 '' env TMPDIR= "$TWOSTAGE" mrc t.csv

# Killed while it converts, which it does for as long as the pipe is open.
for command in "sweep -o k.db pipe.yaml" "mrc pipe.csv"; do
	# shellcheck disable=SC2086
	"$TWOSTAGE_FAST" $command >/dev/null 2>&1 &
	pid=$!
	{
		cat t.csv
		n=0
		until ls -l /proc/$pid/fd 2>/dev/null | grep -q "$work/tmp" || [ $n -ge 200 ]; do
			n=$((n + 1))
			sleep 0.05
		done
		ls -l /proc/$pid/fd >fds
		kill -9 $pid
	} >pipe.csv
	wait $pid 2>/dev/null
	expect "$command: killed while it converts" 0 "$work/tmp/.*deleted" cat fds
	empty "$command: killed"
done
finish
