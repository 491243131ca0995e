#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage sweep --slurm` on a real Slurm: tasks and a slurmd die of SIGKILL, a sweep is cancelled and resumed, and the
# merged databases are that of a local run.
. tests/lib.sh
: "${TWOSTAGE:?}"
root=$PWD
cluster=$work/cluster
SLURM_CONF=$cluster/slurm.conf
export SLURM_CONF
clean_up() {
	[ -n "${sweep:-}" ] && kill "$sweep" 2>/dev/null
	sh "$root/tests/slurm/live/cluster.sh" stop "$cluster"
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 75' INT TERM HUP
sh tests/slurm/live/cluster.sh start "$cluster" || { fail 'the cluster does not start'; finish; }

cd "$work" || exit 70
for seed in 1 2 3; do
	"$TWOSTAGE" trace gen --pattern uniform --footprint 64M --accesses ${seed}50000 --seed $seed -o t$seed.s2t || fail 'trace gen'
done
cat >s.yaml <<'EOF'
name: cluster
models: [neoverse-n1, cortex-a57]
traces: [t1.s2t, t2.s2t, t3.s2t]
zip: { stage1.granule: [4K, 64K], stage2.granule: [4K, 64K] }
axes:
  stage2.ipa_bits: [36, 40, 44, 46, 52]
  host.block_rule: [v10, relaxed]
  host.backing: [4K, 2M]
EOF

# Rows of the results, of the sweep, and nothing of how long they took.
contents() {
	"$TWOSTAGE" db export "$1" && sqlite3 "$1" 'SELECT * FROM sweep ORDER BY name, point'
}
# done_points DATABASE - points in all its shards
done_points() {
	for shard in "$1".slices/slice-*.db; do
		sqlite3 -readonly -cmd '.timeout 5000' "$shard" 'SELECT count(*) FROM point' 2>/dev/null
	done | awk '{ n += $1 } END { print n + 0 }'
}
# wait_for_points DATABASE N
wait_for_points() {
	for _ in $(seq 3000); do
		[ "$(done_points "$1")" -ge "$2" ] && return 0
		sleep 0.1
	done
	fail "no $2 points in $1 after five minutes"
}
# Processes of this test's tasks, their workers included.
tasks() {
	for pid in $(pgrep -x twostage); do
		[ "$(readlink "/proc/$pid/cwd")" = "$work" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qE -e '--slice [0-9]+/' && echo "$pid"
	done
}
# kill_task - one that runs, without its workers; while there is none it waits
kill_task() {
	for _ in $(seq 3000); do
		for task in $(tasks); do
			read -r _ _ _ parent _ <"/proc/$task/stat" 2>/dev/null || continue
			[ "$(cat "/proc/$parent/comm" 2>/dev/null)" = twostage ] && continue
			kill -s KILL "$task" 2>/dev/null && return
		done
		sleep 0.1
	done
	fail 'no task to kill'
}
# partition UP|DOWN - tasks that wait are begun, or not
partition() {
	scontrol update PartitionName=main State="$1" || fail "scontrol: State=$1"
}
# effort DATABASE - key and time of each point: one that was run again would have another time
effort() {
	for shard in "$1".slices/slice-*.db; do sqlite3 "$shard" 'SELECT * FROM effort'; done | sort
}

expect 'local run' 0 ' 240 points: .* 0 not run' "$TWOSTAGE" sweep -o local.db s.yaml
contents local.db >whole

# Two tasks and a node are killed; the command that watches brings it to its end.
"$TWOSTAGE" sweep -o s.db --slurm --slices 12 s.yaml >first.log 2>&1 &
sweep=$!
wait_for_points s.db 15
kill_task
# The other one and the node while nothing new is begun, so that what they leave can be looked at.
sleep 1
kill_task
partition DOWN
node=$(squeue -h -t R -o %N | sort | uniq -c | sort -rn | awk 'NR == 1 { sub(/n/, "", $2); print $2 }')
sh "$root/tests/slurm/live/cluster.sh" node-kill "${node:-1}" "$cluster"
effort s.db >before
expect 'status while it runs' 75 'of 12 slices complete' "$TWOSTAGE" sweep -o s.db --status s.yaml
partition UP
# Slurm gives the node up after SlurmdTimeout and its tasks to others, while their first copies may live on.
for _ in $(seq 240); do
	sinfo -h -N -o '%N %T' | grep -q 'down' && break
	sleep 0.5
done
sh "$root/tests/slurm/live/cluster.sh" node-start "${node:-1}" "$cluster"
wait "$sweep"
ended=$?
sweep=
expect 'killed tasks and node: complete all the same' 0 '' test $ended -eq 0
expect 'killed tasks were submitted again' 0 '' test "$(grep -c 'of 12 slices submitted' first.log)" -ge 2
expect 'all is there' 0 ' 240 there already, 0 failed, 0 not run' cat first.log
contents s.db >merged
expect 'equals the local run' 0 '' cmp whole merged
expect 'sound' 0 '^s.db: ok, 240 points' "$TWOSTAGE" db check s.db
effort s.db >after
expect 'finished points were not run again' 1 '' sh -c 'comm -23 before after | grep .'
expect "some ($(wc -l <before)) were finished before" 0 '' test "$(wc -l <before)" -ge 15
expect 'once more: nothing to submit' 0 ' 240 there already' "$TWOSTAGE" sweep -o s.db --slurm s.yaml
expect 'the script of tasks' 0 '' cmp s.db.slices/task.sh "$root/scripts/slurm/task.sh"

# Interrupted and cancelled in the middle, resumed.
"$TWOSTAGE" sweep -o c.db --slurm --slices 12 s.yaml >second.log 2>&1 &
sweep=$!
wait_for_points c.db 5
kill -TERM "$sweep"
wait "$sweep"
stopped=$?
sweep=
expect 'interrupted: status 75' 0 '' test $stopped -eq 75
expect 'interrupted: says how to go on' 0 'tasks go on without this command' cat second.log
name=$(sed -n 's/.*`scancel --name=\([^`]*\)`.*/\1/p' second.log)
expect 'cancel' 0 '' scancel --name="$name"
for _ in $(seq 300); do
	[ -z "$(squeue -h)" ] && [ -z "$(tasks)" ] && break
	sleep 0.2
done
expect 'cancelled: status' 75 'of 240 points done' "$TWOSTAGE" sweep -o c.db --status s.yaml
effort c.db >before
expect "cancelled in the middle ($(wc -l <before) points)" 0 '' test "$(wc -l <before)" -ge 5 -a "$(wc -l <before)" -lt 240
expect 'shards of cancelled tasks are sound' 0 '' "$TWOSTAGE" db check c.db.slices/slice-*.db
expect 'resumed' 0 ' 240 there already, 0 failed, 0 not run' "$TWOSTAGE" sweep -o c.db --slurm s.yaml
contents c.db >merged
expect 'resumed equals the local run' 0 '' cmp whole merged
effort c.db >after
expect 'resumed: finished points were not run again' 1 '' sh -c 'comm -23 before after | grep .'

partition DOWN
expect 'detach' 0 '' "$TWOSTAGE" sweep -o d.db --slurm --detach --slices 4 s.yaml -- --begin=now+1
expect 'detached: pending' 75 'slices 1 to 4: 0 of 240 points, pending' "$TWOSTAGE" sweep -o d.db --status s.yaml
partition UP
expect 'the same command waits' 0 ' 240 there already' "$TWOSTAGE" sweep -o d.db --slurm s.yaml
cp out waited
expect 'and submits nothing' 1 '' grep submitted waited
contents d.db >merged
expect 'detached equals the local run' 0 '' cmp whole merged

expect 'sbatch refuses' 74 'sbatch failed' "$TWOSTAGE" sweep -o r.db --slurm --slices 2 s.yaml -- --partition=none
# Traces that are gone when the tasks begin.
partition DOWN
"$TWOSTAGE" sweep -o v.db --slurm --slices 2 s.yaml >third.log 2>&1 &
sweep=$!
until grep -q 'of 2 slices submitted' third.log || ! kill -s 0 $sweep 2>/dev/null; do sleep 0.1; done
mv t2.s2t away.s2t
partition UP
wait $sweep
ended=$?
sweep=
expect 'traces that tasks do not see: status 70' 0 '' test $ended -eq 70
expect 'which, and how often it was tried' 0 \
	'slice 2: 0 of 80 points after 3 tries; v.db.slices/slice-2.log: s.yaml:3:18: error: .*t2.s2t: no such trace' cat third.log
cd "$root" || exit 70
sh tests/slurm/live/cluster.sh stop "$cluster"
# Daemons and tasks have the name of the configuration in their environment, as the command that looks for it has.
left() {
	for environment in $(grep -lzxF "SLURM_CONF=$SLURM_CONF" /proc/[0-9]*/environ 2>/dev/null); do
		process=${environment%/environ}
		[ ! -e "$process" ] || echo "$process: $(cat "$process/comm")"
	done
}
for _ in $(seq 100); do
	left >"$work/left"
	[ -s "$work/left" ] || break
	sleep 0.1
done
expect "nothing of it is left: $(tr '\n' ' ' <"$work/left")" 1 '' test -s "$work/left"
finish
