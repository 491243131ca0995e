#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Disks that are full at many moments, folders that are read-only, databases that others hold: one clear line and its
# status, nothing lost, nothing corrupt. The file systems are tmpfs in a mount namespace of this script's own.
if [ -z "${DISK_NAMESPACE:-}" ]; then
	: "${TWOSTAGE_FAST:?}"
	DISK_NAMESPACE=1
	export DISK_NAMESPACE
	for flags in --mount '--user --map-root-user --mount'; do
		# shellcheck disable=SC2086
		unshare $flags sh -c 'mount -t tmpfs tmpfs /mnt' 2>/dev/null && exec unshare $flags sh "$0"
	done
	echo 'skipped: neither root nor user namespaces, so that no file system can be mounted'
	exit 0
fi
. tests/lib.sh
two_traces 16M 4000
cd "$work" || exit 70
cat >s.yaml <<'EOF'
name: disk
models: [neoverse-n1, cortex-a57]
traces: [t1.s2t, t2.s2t]
axes:
  stage2.ipa_bits: [36, 40, 44, 52]
  host.block_rule: [v10, relaxed]
  host.backing: [4K, 2M]
EOF
# Key and time of each point: one that was run again would have another time.
effort() {
	for db in "$@"; do [ -s "$db" ] && sqlite3 "$db" 'SELECT * FROM effort'; done 2>/dev/null | sort
}
mkdir disk
mount -t tmpfs -o size=1m tmpfs disk || { fail 'mount'; finish; }
trap 'umount -l disk; rm -rf "$work"' EXIT
# disk OPTION - empty again, of another size
disk() {
	umount disk; mount -t tmpfs -o "$1" tmpfs disk || fail "mount -o $1"
}
# What the last expect() ran said one thing.
one_line() {
	n=$(grep -c error: out)
	expect "$1: one line" 0 '' test "$n" -eq 1
}

"$TWOSTAGE_FAST" sweep -o whole.db s.yaml >/dev/null || fail 'undisturbed'
contents whole.db >whole

# ---- a disk that is full sooner or later ----
# sound DATABASE ROUND [ALLOWED] - each database that is there has its tables, or is empty, or else what is allowed
sound() {
	[ -e "$1" ] || return 0
	"$TWOSTAGE_FAST" db check "$1" >check.log 2>&1 && return 0
	grep -qE -e "is empty: what made it was stopped|${3:-no other}" check.log || fail "$2: $(cat check.log)"
}
# Readers of a write-ahead log may want room, too.
no_room='disk I/O error: No space left on device|database or disk is full'
n_full=0
for kib in ${TWOSTAGE_LONG:+8 24 60 80 90 110 130 150 170 220 260 280 340} 16 40 72 100 120 140 160 180 200 240 300 400; do
	disk "size=${kib}k"
	"$TWOSTAGE_FAST" sweep -j 2 -o disk/d.db s.yaml >out 2>&1
	ended=$?
	if [ $ended -eq 74 ]; then
		n_full=$((n_full + 1))
		grep -qE '^twostage: error: disk/d.db: (database or disk is full|disk I/O error|unable to open)' out || fail "$kib KiB: $(cat out)"
		[ "$(grep -c error: out)" -eq 1 ] || fail "$kib KiB: not one line: $(cat out)"
	elif [ $ended -ne 0 ]; then
		fail "$kib KiB: status $ended: $(cat out)"
	fi
	sound disk/d.db "$kib KiB" "$no_room"
	mount -o remount,size=16m disk
	sound disk/d.db "$kib KiB, more room"
	effort disk/d.db >before
	"$TWOSTAGE_FAST" sweep -j 2 -o disk/d.db s.yaml >out 2>&1 || fail "$kib KiB, more room: $(cat out)"
	contents disk/d.db >other
	cmp -s whole other || fail "$kib KiB: the database differs from an undisturbed one"
	effort disk/d.db >after
	[ -z "$(comm -23 before after)" ] || fail "$kib KiB: finished points were run again"
done
expect "full at several moments ($n_full)" 0 '' test $n_full -ge 5
# The same for shards, and for merging them.
n_full=0
for kib in ${TWOSTAGE_LONG:+24 60 80 100 140 180 220 260 300} 16 48 88 120 160 200 240 280; do
	disk "size=${kib}k"
	for slice in 1 2; do
		"$TWOSTAGE_FAST" sweep -j 2 -o disk/d.db --slice $slice/2 s.yaml >out 2>&1
		case $? in
		0) ;;
		74) n_full=$((n_full + 1)) ;;
		*) fail "slice $slice in $kib KiB: $(cat out)" ;;
		esac
		sound disk/d.db.slices/slice-$slice.db "slice $slice in $kib KiB" "$no_room"
	done
	mount -o remount,size=16m disk
	effort disk/d.db.slices/slice-*.db >before
	for slice in 1 2; do
		"$TWOSTAGE_FAST" sweep -j 2 -o disk/d.db --slice $slice/2 s.yaml >out 2>&1 || fail "slice in $kib KiB, more room: $(cat out)"
	done
	used=$(df -k --output=used disk | tail -n 1)
	mount -o remount,size=$((used + kib))k disk
	"$TWOSTAGE_FAST" sweep -o disk/d.db --merge s.yaml >out 2>&1
	case $? in
	0) ;;
	74) n_full=$((n_full + 1)) ;;
	*) fail "merge in $kib KiB: $(cat out)" ;;
	esac
	sound disk/d.db "merge in $kib KiB" "$no_room"
	mount -o remount,size=16m disk
	sound disk/d.db "merge in $kib KiB, more room"
	"$TWOSTAGE_FAST" sweep -o disk/d.db --merge s.yaml >out 2>&1 || fail "merge in $kib KiB, more room: $(cat out)"
	contents disk/d.db >other
	cmp -s whole other || fail "$kib KiB: merged shards differ from an undisturbed database"
	effort disk/d.db >after
	[ -z "$(comm -23 before after)" ] || fail "$kib KiB: finished points of slices were run again"
done
expect "full shards and merges ($n_full)" 0 '' test $n_full -ge 5

disk size=64k
cp t1.s2t disk/old.s2t
head -c 100000 /dev/zero >disk/fill 2>/dev/null
expect 'convert' 74 'disk/new.s2t: .*No space left on device' "$TWOSTAGE_FAST" trace convert -o disk/new.s2t t2.s2t
expect 'convert leaves nothing' 0 '^fill old.s2t $' sh -c 'ls -A disk | tr "\n" " "'
expect 'convert over another' 74 'disk/old.s2t: .*No space left on device' "$TWOSTAGE_FAST" trace convert -o disk/old.s2t t2.s2t
expect 'which stays' 0 '' cmp disk/old.s2t t1.s2t
expect 'gen' 74 'disk/new.s2t: .*No space left on device' "$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 16M --accesses 4000 -o disk/new.s2t
"$TWOSTAGE_FAST" trace cat t1.s2t --csv >t1.csv 2>/dev/null || "$TWOSTAGE_FAST" trace cat t1.s2t >t1.csv
for command in 'run -c neoverse-n1 t1.s2t' 'run --json -c neoverse-n1 t1.s2t' 'sweep -n s.yaml' 'db export whole.db' 'trace cat t1.s2t' 'trace info t1.s2t'; do
	expect "output of $command" 74 '^twostage: error: standard output: No space left on device' sh -c "\"$TWOSTAGE_FAST\" $command >disk/out"
done
expect 'report' 74 'disk/report/[a-z-]*.csv: No space left on device' "$TWOSTAGE_FAST" report -d whole.db -o disk/report
expect 'merge' 74 '^twostage: error: disk/m.db: database or disk is full' "$TWOSTAGE_FAST" db merge disk/m.db whole.db

# ---- a read-only folder ----
disk size=16m
cp t1.s2t whole.db disk
"$TWOSTAGE_FAST" sweep -o disk/cut.db --slice 1/2 s.yaml >/dev/null || fail 'slice'
# A writer that was killed leaves its write-ahead log.
"$TWOSTAGE_FAST" sweep -j 2 -o disk/killed.db s.yaml >/dev/null 2>&1 &
wait_for_points disk/killed.db 1 $!
kill -KILL $! 2>/dev/null
wait $! 2>/dev/null
# Its workers have the file open until they see that it is gone.
until mount -o remount,ro disk 2>/dev/null; do sleep 0.05; done
find disk -type f -exec sha256sum {} + >sums
sed 's/36, 40/38, 40/' s.yaml >more.yaml
expect 'sweep' 74 'disk/whole.db: attempt to write a readonly database' "$TWOSTAGE_FAST" sweep -o disk/whole.db more.yaml
expect 'new database' 74 'disk/new.db: unable to open database file: Read-only file system' "$TWOSTAGE_FAST" sweep -o disk/new.db s.yaml
expect 'search' 74 'disk/whole.db: attempt to write a readonly' "$TWOSTAGE_FAST" sweep -o disk/whole.db more.yaml --find stage2.ipa_bits --where 'walks < 1'
expect 'dry run' 0 '^64 points .*: 48 there already' "$TWOSTAGE_FAST" sweep -n -o disk/whole.db more.yaml
expect 'slice' 74 'slice-1.db: attempt to write a readonly' "$TWOSTAGE_FAST" sweep -o disk/cut.db --slice 1/2 s.yaml
expect 'new slice' 74 'slice-2.db: unable to open database file: Read-only file system' "$TWOSTAGE_FAST" sweep -o disk/cut.db --slice 2/2 s.yaml
expect 'status' 75 'of 64 points done' "$TWOSTAGE_FAST" sweep -o disk/cut.db --status s.yaml
expect 'merge of slices' 74 'disk/cut.db: unable to open database file' "$TWOSTAGE_FAST" sweep -o disk/cut.db --merge s.yaml
expect 'merge' 74 'disk/whole.db: attempt to write a readonly' "$TWOSTAGE_FAST" db merge disk/whole.db whole.db
expect 'db check' 0 'ok, 64 points' "$TWOSTAGE_FAST" db check disk/whole.db
expect 'db check of what a killed writer left' 0 'ok, [1-9]' "$TWOSTAGE_FAST" db check disk/killed.db
expect 'db info' 0 '^  disk +64 points' "$TWOSTAGE_FAST" db info disk/killed.db
expect 'db export' 0 ',neoverse-n1,' "$TWOSTAGE_FAST" db export disk/whole.db
expect 'report into it' 74 'disk/report: Read-only file system' "$TWOSTAGE_FAST" report -d whole.db -o disk/report
expect 'convert' 74 'disk/t2.s2t: cannot create: Read-only file system' "$TWOSTAGE_FAST" trace convert -o disk/t2.s2t t2.s2t
expect 'gen' 74 'disk/t2.s2t: cannot create: Read-only' "$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 16M --accesses 4000 -o disk/t2.s2t
expect 'run' 0 '' "$TWOSTAGE_FAST" run -c neoverse-n1 disk/t1.s2t
expect 'all is as it was' 0 '' sha256sum --quiet -c sums
mount -o remount,rw disk
expect 'writable again: resumed' 0 ' 0 failed, 0 not run' "$TWOSTAGE_FAST" sweep -o disk/killed.db s.yaml
contents disk/killed.db >other
expect 'resumed equals undisturbed' 0 '' cmp whole other

# ---- a database that others hold ----
# The program with sleeps that can be waited for, and that are as short as is wanted.
gcc -O1 -shared -fPIC -D_GNU_SOURCE -o sleeps.so "$OLDPWD/tests/crash/short_sleeps.c" || fail 'gcc'
# hold DATABASE - lock it, and return when that is done; release lets it go
hold() {
	rm -f held released
	(printf 'BEGIN EXCLUSIVE;\n.shell touch held; until [ -e released ]; do sleep 0.05; done\nROLLBACK;\n' | sqlite3 -cmd '.timeout 60000' "$1") &
	holder=$!
	until [ -e held ] || ! kill -s 0 $holder 2>/dev/null; do sleep 0.05; done
	[ -e held ] || fail "cannot lock $1"
}
release() {
	: >released
	wait $holder
}
# after_waiting COMMAND... - the command, with a database that is released once the command waits for it; status 99: it never did
after_waiting() {
	rm -f slept
	SLEPT=$work/slept LD_PRELOAD=$work/sleeps.so "$@" &
	waiting=$!
	until [ -e slept ] || ! kill -s 0 $waiting 2>/dev/null; do sleep 0.05; done
	release
	wait $waiting || return
	[ -e slept ] || return 99
}
cp whole.db free.db
cp whole.db long.db
hold long.db
expect 'held too long' 74 '^twostage: error: long.db: database is locked$' \
	env SLEPT="$work/slept" SLEEP_DIVISOR=1000 LD_PRELOAD="$work/sleeps.so" "$TWOSTAGE_FAST" sweep -o long.db more.yaml
one_line 'held too long'
expect 'after 30 seconds' 0 '^(29[5-9]|30[0-5])..$' cat slept
release
expect 'and sound' 0 'ok, 64 points' "$TWOSTAGE_FAST" db check long.db
hold free.db
expect 'held for a while: waits' 0 ' 16 run, 0 impossible, 48 there|12 run, 4 impossible, 48 there' after_waiting "$TWOSTAGE_FAST" sweep -o free.db more.yaml
hold free.db
expect 'readers wait, too' 0 'free.db: ok, 80 points' after_waiting "$TWOSTAGE_FAST" db check free.db

# Sweeps, a search and a merge into one database at once.
"$TWOSTAGE_FAST" sweep -j 1 -o both.db s.yaml >a.log 2>&1 &
a=$!
"$TWOSTAGE_FAST" sweep -j 1 -o both.db more.yaml >b.log 2>&1 &
b=$!
"$TWOSTAGE_FAST" sweep -j 1 -o both.db s.yaml --find stage2.ipa_bits --where 'walks < 1' >c.log 2>&1 &
c=$!
"$TWOSTAGE_FAST" db merge --points both.db free.db >d.log 2>&1 || fail "merge beside sweeps: $(cat d.log)"
for pid in $a $b $c; do wait "$pid" || fail "sweeps at once: $(cat a.log b.log c.log)"; done
"$TWOSTAGE_FAST" db export both.db >both.csv
"$TWOSTAGE_FAST" db export free.db >free.csv
expect 'all at once: each point once, as it is' 0 '' cmp free.csv both.csv
expect 'all at once: sound' 0 'both.db: ok, 80 points' "$TWOSTAGE_FAST" db check both.db
finish
