#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# cluster.sh start|stop|node-start N|node-kill N FOLDER - a Slurm cluster of several nodes on this machine,
# without systemd and without touching /etc: munged, slurmctld and one slurmd a node, all with files in FOLDER.
# `export SLURM_CONF=FOLDER/slurm.conf` makes sbatch and the others talk to it.
set -eu
verb=$1
shift
case $verb in
node-*) node=$1 && shift ;;
esac
folder=${1:?a folder is needed}
nodes=${CLUSTER_NODES:-3}
cpus=${CLUSTER_CPUS:-2}
SLURM_CONF=$folder/slurm.conf
export SLURM_CONF

# alive PIDFILE PROGRAM - is that process this program? Numbers are used again.
alive() {
	pid=$(cat "$1" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]
}

# end PIDFILE PROGRAM [SIGNAL]
end() {
	alive "$1" "$2" || return 0
	kill "-${3:-TERM}" "$pid" 2>/dev/null || return 0
	for _ in $(seq 100); do
		alive "$1" "$2" || return 0
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || :
	for _ in $(seq 100); do
		alive "$1" "$2" || return 0
		sleep 0.1
	done
}

# listening PORT - does anybody, as far as this network namespace knows?
listening() {
	grep -qhE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") [0-9A-F]+:0000 " /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# none_listening PORT - at this one, for slurmctld, and at those behind it, for the nodes
none_listening() {
	for i in $(seq 0 "$nodes"); do
		listening $(($1 + i)) && return 1
	done
	return 0
}

# Below what the kernel gives to clients; clusters that are started at once begin to look at different places.
choose_port() {
	port=${CLUSTER_PORT:-$((20000 + $$ % 1000 * 10))}
	[ -z "${CLUSTER_PORT:-}" ] || return 0
	until none_listening "$port"; do port=$((port + 10)); done
}

configure() {
	host=$(hostname) user=$(id -un)
	mkdir -p "$folder/state" "$folder/munge"
	chmod 700 "$folder/munge"
	head -c 1024 /dev/urandom >"$folder/munge/key"
	chmod 600 "$folder/munge/key"
	{
		cat <<EOF
ClusterName=twostage
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
SlurmctldPort=$port
SlurmctldPidFile=$folder/slurmctld.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmdLogFile=$folder/slurmd-%n.log
SlurmdSpoolDir=$folder/spool-%n
StateSaveLocation=$folder/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
SwitchType=switch/none
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=10
InactiveLimit=0
KillWait=5
MinJobAge=10
SchedulerParameters=sched_interval=1,bf_interval=2
SlurmdParameters=config_overrides
EOF
		for i in $(seq "$nodes"); do
			echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + i)) CPUs=$cpus RealMemory=500"
		done
		echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP"
	} >"$SLURM_CONF"
}

node_start() {
	mkdir -p "$folder/spool-n$1"
	slurmd -N "n$1"
}

start() {
	choose_port
	configure
	munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
		--log-file="$folder/munge/log" --seed-file="$folder/munge/seed" --num-threads=2
	slurmctld -c
	for i in $(seq "$nodes"); do node_start "$i"; done
	for _ in $(seq 600); do
		[ "$(sinfo -h -N -t idle -o %N 2>/dev/null | wc -l)" -eq "$nodes" ] && return 0
		sleep 0.5
	done
	sinfo -N >&2 || :
	tail -n 5 "$folder"/*.log >&2
	return 1
}

# Tasks first: a slurmd leaves its slurmstepd behind.
stop() {
	if alive "$folder/slurmctld.pid" slurmctld; then
		scancel --signal=KILL --state=RUNNING 2>/dev/null || :
		scancel --user="$(id -un)" 2>/dev/null || :
		for _ in $(seq 50); do
			[ -z "$(squeue -h 2>/dev/null)" ] && break
			sleep 0.2
		done
	fi
	for i in $(seq "$nodes"); do end "$folder/slurmd-n$i.pid" slurmd; done
	end "$folder/slurmctld.pid" slurmctld
	end "$folder/munge/pid" munged
}

case $verb in
start) start ;;
stop) stop ;;
node-start) node_start "$node" ;;
node-kill) end "$folder/slurmd-n$node.pid" slurmd KILL ;;
*)
	echo "cluster.sh: error: unknown verb '$verb'" >&2
	exit 64
	;;
esac
