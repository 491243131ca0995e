#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage sweep --slurm` where Slurm does what a real one seldom does: commands that stand in for sbatch and squeue run
# the tasks here and fail when they are told to. Slurm itself is in tests/slurm/ (make check-slurm).
. tests/lib.sh
: "${TWOSTAGE_FAST:?}"
two_traces 16M 4000
cd "$work" || exit 70
cat >s.yaml <<'EOF'
name: slurm
models: [neoverse-n1]
traces: [t1.s2t, t2.s2t]
axes:
  tlb.l1d.entries: [16, 32, 48]
EOF
mkdir bin queue
# Tasks wait until there is a file `go`; each call of squeue is counted, and those in `fail` fail.
cat >bin/sbatch <<'EOF'
#!/bin/sh
[ -e refuse ] && { echo 'sbatch: error: refused' >&2; exit 1; }
while [ "${1#-}" != "$1" ]; do
	case $1 in --array=*) array=${1#--array=} ;; esac
	shift
done
echo "$array" >>submitted
for range in $(echo "$array" | tr , ' '); do
	for i in $(seq "${range%-*}" "${range#*-}"); do
		echo "$i RUNNING" >"queue/$i"
		(
			until [ -e go ]; do sleep 0.05; done
			SLURM_ARRAY_TASK_ID=$i SLURM_CPUS_PER_TASK=1 sh "$@" >>"$4.slices/slice-$i.log" 2>&1
			rm "queue/$i"
		) >/dev/null 2>&1 &
	done
done
EOF
cat >bin/squeue <<'EOF'
#!/bin/sh
echo >>calls
n=$(wc -l <calls)
if grep -qx "$n" fail 2>/dev/null; then
	[ "$(tail -n 1 fail)" -eq "$n" ] && : >go
	echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2
	exit 1
fi
cat queue/* 2>/dev/null
exit 0
EOF
chmod +x bin/sbatch bin/squeue
PATH=$work/bin:$PATH
"$TWOSTAGE_FAST" sweep -o local.db s.yaml >/dev/null || fail 'local run'
"$TWOSTAGE_FAST" db export local.db >local.csv

# merged NAME DATABASE - its results are those of the local run
merged() {
	"$TWOSTAGE_FAST" db export "$2" >other.csv
	expect "$1: as a local run" 0 '' cmp local.csv other.csv
}
: >go
expect 'all goes well' 0 'a.db: 6 points: 0 run, 0 impossible, 6 there already' "$TWOSTAGE_FAST" sweep -o a.db --slurm --slices 3 s.yaml
merged 'all goes well' a.db
expect 'each slice submitted once' 0 '^1-3$' cat submitted

# The controller is away twice while tasks run: they are waited for, and not submitted again.
rm go calls submitted
printf '2\n3\n' >fail
expect 'controller away' 0 'b.db: 6 points: 0 run, 0 impossible, 6 there already' "$TWOSTAGE_FAST" sweep -o b.db --slurm --slices 3 s.yaml
merged 'controller away' b.db
expect 'controller away: submitted once' 0 '^1$' sh -c 'wc -l <submitted'
expect 'controller away from the beginning' 74 'squeue failed' sh -c 'rm calls; echo 1 >fail; "$TWOSTAGE_FAST" sweep -o b.db --slurm s.yaml'

# A task that never gets anywhere is tried three times; what others did is merged.
rm -f fail submitted
: >go
expect 'cut' 0 '' "$TWOSTAGE_FAST" sweep -o c.db --slice 1/3 s.yaml
mkdir c.db.slices/slice-2.db-journal
expect 'a slice that fails' 70 'slice 2: 0 of [0-9]+ points? after 3 tries; .*slice-2.log: .*error: ' "$TWOSTAGE_FAST" sweep -o c.db --slurm s.yaml
expect 'a slice that fails: tries' 0 '^3$' sh -c 'wc -l <submitted'
expect 'the rest is merged' 0 'ok, [1-5] points?$' "$TWOSTAGE_FAST" db check c.db
: >refuse
expect 'sbatch refuses' 74 'sbatch failed' "$TWOSTAGE_FAST" sweep -o d.db --slurm s.yaml

expect 'jobs are for sbatch' 64 '--jobs does not reach the tasks' "$TWOSTAGE_FAST" sweep --slurm -j 2 s.yaml
for option in --detach '--slices 3' '--task-minutes 3'; do
	for mode in '' '--slice 1/2' --merge --status; do
		# shellcheck disable=SC2086
		expect "$option $mode" 64 'want --slurm' "$TWOSTAGE_FAST" sweep $mode $option s.yaml
	done
done
finish
