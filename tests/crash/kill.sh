#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 of running sweeps at random moments, of the parent, of a worker, of all at once, 30 times (`make check-long`:
# 240): after each the database is sound and has every point that it had before, as it was; repeated until complete
# it is the database of an undisturbed run. The same for slices with their shards, and for merging them.
. tests/lib.sh
: "${TWOSTAGE_FAST:?}"
kills=${TWOSTAGE_LONG:+240}
kills=${kills:-30}
two_traces 32M 8000
# One that is long enough, and hits often enough, for idle workers to become copies of those that replay it.
[ -z "${TWOSTAGE_LONG:-}" ] ||
	"$TWOSTAGE_FAST" trace gen --pattern zipf --footprint 4M --accesses 2M --fetches 0 -g page -o "$work/t2.s2t" || fail 'trace gen'
cd "$work" || exit 70
cat >s.yaml <<'EOF'
name: crash
models: [neoverse-n1, cortex-a57]
traces: [t1.s2t, t2.s2t]
axes:
  stage2.ipa_bits: [36, 38, 40, 42, 44, 52]
  host.block_rule: [v10, relaxed]
  host.backing: [4K, 2M]
EOF

# A generator of its own, so that every run of the test draws the same moments: $random in [0, $1).
state=1
draw() {
	state=$(((state * 1103515245 + 12345) % 2147483648))
	random=$((state / 65536 % $1))
}

# Key and time of each point: a point that was run again would have another time.
points() {
	for db in "$@"; do
		[ -s "$db" ] && sqlite3 "$db" 'SELECT "key", wall_micros FROM point LEFT JOIN effort USING ("key")' 2>/dev/null
	done | sort
}

# inspect DATABASE - what must hold after every kill
inspect() {
	[ -s "$1" ] || return 0
	if ! "$TWOSTAGE_FAST" db check "$1" >check.log 2>&1; then
		# Stopped before its tables were there.
		[ ! -e "$1.before" ] && grep -q 'is empty' check.log && return 0
		fail "kill $n_killed of $who: $(cat check.log)"
	fi
	points "$1" >now
	[ -e "$1.before" ] && comm -23 "$1.before" now | grep . >lost &&
		fail "kill $n_killed of $who: $(wc -l <lost) points of $1 lost or run again"
	mv now "$1.before"
}

# A worker of $pid, as soon as there is one.
kill_worker() {
	while kill -s 0 "$pid"; do
		worker=$(pgrep -P "$pid" | tail -n 1)
		[ -n "$worker" ] && kill -s KILL "$worker" && return
	done
}

# disturb MILLISECONDS DATABASE ARGUMENT... - run the program, and kill what draw() says when it says, at most so much
# later; status 0: it came to its end before
n_killed=0 n_parent=0 n_worker=0 n_all=0
disturb() {
	draw "$1"
	delay=$(printf '%d.%03d' $((random / 1000)) $((random % 1000)))
	db=$2
	shift 2
	setsid "$TWOSTAGE_FAST" "$@" >run.log 2>&1 &
	pid=$!
	draw 3
	case $random in
	0) who=parent ;;
	1) who=worker ;;
	2) who=all ;;
	esac
	{
		sleep "$delay"
		case $who in
		parent) kill -s KILL "$pid" ;;
		worker) kill_worker ;;
		all) kill -s KILL -- "-$pid" ;;
		esac
	} >/dev/null 2>&1 &
	killer=$!
	wait "$pid" 2>/dev/null
	ended=$?
	kill "$killer" 2>/dev/null
	wait "$killer" 2>/dev/null
	case $ended in
	0) ;;
	137 | 70) eval "n_$who=\$((n_$who + 1))" ;;
	*) fail "kill $n_killed of $who: status $ended: $(cat run.log)" ;;
	esac
	n_killed=$((n_parent + n_worker + n_all))
	inspect "$db"
	return $ended
}

# milliseconds COMMAND... - moments are drawn from what a run takes here
milliseconds() {
	begin=$(date +%s%N)
	"$@" >whole.log 2>&1 || fail "undisturbed: $(cat whole.log)"
	echo $((($(date +%s%N) - begin) / 1000000 + 2))
}
whole_ms=$(milliseconds "$TWOSTAGE_FAST" sweep -j 2 -o whole.db s.yaml)
contents whole.db >whole

# What is drawn may come too late on a machine that is busy: on it goes until there are enough of every kind.
enough() {
	for n in $n_parent $n_worker $n_all; do [ "$n" -ge $((kills / 8)) ] || return; done
	[ $n_killed -ge "$kills" ]
}

round=0
until enough || [ $round -ge $((kills * 4)) ]; do
	round=$((round + 1))
	if [ $((round % 2)) -eq 1 ]; then
		until disturb $whole_ms local.db sweep -j 2 -o local.db s.yaml; do :; done
		db=local.db
	else
		for slice in 1 2 3; do
			until disturb $((whole_ms / 3 + 5)) "sliced.db.slices/slice-$slice.db" sweep -j 2 -o sliced.db --slice $slice/3 s.yaml; do :; done
		done
		until disturb $((whole_ms / 12 + 10)) sliced.db sweep -o sliced.db --merge s.yaml; do :; done
		db=sliced.db
	fi
	contents $db >other
	cmp -s whole other || fail "round $round: $db differs from an undisturbed run"
	sqlite3 $db 'SELECT count(*), count(DISTINCT "key") FROM effort' >counted
	[ "$(cat counted)" = "$(sqlite3 whole.db 'SELECT count(*), count(DISTINCT "key") FROM effort')" ] ||
		fail "round $round: points doubled: $(cat counted)"
	rm -rf local.db* sliced.db*
done
echo "$n_parent times the parent, $n_worker a worker, $n_all all; $round databases"
expect "$kills kills, and enough of each kind" 0 '' enough
finish
