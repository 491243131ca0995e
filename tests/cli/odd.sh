#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Odd words on the command line of every command, files that are none, and standard streams that are closed or full:
# one line that says what is wrong, the status that `twostage --help` names, and nothing lost that was there.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}"
cd "$work" || exit 70
"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 4M --accesses 2000 --seed 1 -o t.s2t || fail 'trace gen'
printf 'name: s\nmodels: neoverse-n1\ntraces: t.s2t\naxes: { stage2.ipa_bits: [40, 48] }\n' >s.yaml
printf 'pattern: uniform\nfootprint: 1M\naccesses: 1000\n' >gen.yaml
"$TWOSTAGE_FAST" sweep -o s.db s.yaml >/dev/null
"$TWOSTAGE_FAST" run --json -c neoverse-n1 t.s2t >run.json
mkdir folder
: >empty
head -c 2000 t.s2t | tr '\000-\377' '\200-\377\000-\177' >noise
head -c 2000 /dev/zero >zero
ln -s loop loop
ln -s nowhere/at/all dangling
mkfifo fifo
printf 'name: s\377\n' >latin.yaml
sed 's/1M/99999999999999999999999T/' gen.yaml >huge.yaml
sed 's/1M/-1/' gen.yaml >negative.yaml
cp t.s2t t.before
cp s.db s.before

# odd STATUS WORDS... - refused in one line, to which the parser of options may add where help is
n_odd=0
odd() {
	wanted=$1
	shift
	n_odd=$((n_odd + 1))
	timeout 60 "$TWOSTAGE" "$@" >said 2>why </dev/null
	got=$?
	lines=$(grep -cvE '^(Try `|information\.$|usage. for more|more information\.$)' why)
	if [ $got -eq "$wanted" ] && [ "$lines" -eq 1 ] && grep -qE '^twostage|: error: ' why; then
		pass "$*"
	else
		fail "$*: status $got, $lines lines: $(head -n 5 why | cut -c 1-200)"
	fi
}

# Files that are none of the kind.
for file in folder loop; do
	for command in 'run -c neoverse-n1' mrc 'trace info' 'trace check' 'trace cat' 'trace convert -o x.s2t' map translate \
		sweep 'db info' 'db check' 'db export' 'db merge m.db' 'report -d' 'compare s.db' 'sweep s.yaml -o'; do
		# shellcheck disable=SC2086
		odd 74 $command $file
	done
done
for command in 'run -c neoverse-n1' mrc 'trace info' 'trace convert -o x.s2t' sweep 'sweep s.yaml -o' 'db info' 'db check' 'db merge m.db' 'report -d' \
	'compare s.db' map translate 'model check' 'trace gen -o x.s2t'; do
	# shellcheck disable=SC2086
	odd 65 $command noise
done
for command in 'run -c neoverse-n1' mrc 'trace info' sweep 'model check' 'compare s.db' 'trace gen -o x.s2t'; do
	# shellcheck disable=SC2086
	odd 65 $command empty
done
for command in 'db info' 'report -d' 'db check'; do
	# shellcheck disable=SC2086
	odd 66 $command empty
	# shellcheck disable=SC2086
	odd 66 $command nothing.db
	# shellcheck disable=SC2086
	odd 74 $command fifo
	# shellcheck disable=SC2086
	odd 74 $command /dev/zero
done
odd 65 map zero
odd 65 translate zero
odd 65 sweep latin.yaml
odd 65 run -c neoverse-n1 latin.yaml
odd 65 trace gen huge.yaml -o x.s2t
odd 65 trace gen negative.yaml -o x.s2t
odd 66 model show folder
odd 66 run -c ☃ t.s2t
odd 65 run -c neoverse-n1 s.db

# Values.
for value in stage2.ipa_bits=99999999999999999999 stage2.ipa_bits=-4 stage2.ipa_bits= stage2.ipa_bits=☃ =4 ☃=4 stage2.ipa_bits \
	tlb.l2.entries=18446744073709551616 tlb.l2.entries=4294967295 cache.llc.size=9999P guest.memory=9000T host.memory=1 seed=-1 \
	core.frequency_mhz=0 walker.count=1e3 timing.backend=xyz; do
	odd 65 run -c neoverse-n1 -s "$value" t.s2t
done
for percent in 0% -5% nan% 1e400% 1%: 1%:☃ 5; do
	odd 64 run -c neoverse-n1 --confidence "$percent" t.s2t
done
for words in 'mrc -p 0 t.s2t' 'mrc -p 99999999999999999T t.s2t' 'mrc --sizes -5 t.s2t' 'mrc --granule 5K t.s2t' 'explain -c neoverse-n1 zzz' \
	'explain -c neoverse-n1 99999999999999999999999' 'geometry --granule 5K' 'map -r nothing empty' 'sweep -j 99999999999999999999 s.yaml' \
	'sweep -j -1 s.yaml' 'sweep -j 1x s.yaml' 'sweep --slice 0/0 s.yaml' 'sweep --slice 5/4 s.yaml' 'sweep --slice 1/99999999999999999999 s.yaml' \
	'sweep --slice 1/2/3 s.yaml' 'sweep --find x s.yaml' 'trace convert t.s2t' 'trace convert -o - t.s2t' 'trace gen gen.yaml -o -' \
	'trace gen --pattern uniform --footprint 1M --accesses 0 -o x' 'trace gen --pattern ☃ --footprint 1M --accesses 5 -o x' \
	'trace gen --pattern uniform --footprint 16E --accesses 5 -o x' 'trace gen --pattern zipf --skew inf --footprint 1M --accesses 5 -o x' \
	'trace gen --pattern uniform --footprint 1M --accesses 5 --vcpus 99999999999 -o x' 'trace convert --level 99 -o x t.s2t' \
	nothing 'help nothing' 'list nothing' 'db nothing' 'db merge s.db' 'trace nothing' -z run mrc 'db info' sweep 'model show' 'run --☃'; do
	# shellcheck disable=SC2086
	odd 64 $words
done
for command in 'run -c neoverse-n1' mrc sweep 'db info' 'report -d' 'trace info' 'model show' 'trace gen gen.yaml -o' map translate list ''; do
	# shellcheck disable=SC2086
	odd 64 $command ''
done
odd 65 sweep --find stage2.ipa_bits=52..40 --where 'walks < 1' s.yaml
odd 65 sweep --find stage2.ipa_bits --where '((((walks < 1' s.yaml
odd 65 compare s.db s.db:☃=1
odd 65 compare s.db s.db:

# Places to write to.
for place in folder no/such/x.s2t /dev/full dangling; do
	odd 74 trace convert -o $place t.s2t
done
odd 74 sweep -o no/such/x.db s.yaml
odd 74 sweep -o s.yaml/x.db s.yaml
odd 74 db merge no/such/x.db s.db
odd 74 report -d s.db -o empty
[ $n_odd -ge 150 ] && pass 'many' || fail "only $n_odd"
expect 'the trace is as before' 0 '' cmp t.s2t t.before
expect 'the database is as before' 0 '' "$TWOSTAGE_FAST" compare s.db s.before
expect 'nothing is left' 1 '' sh -c 'ls -A | grep -E "part$|x\.s2t|^-$|^x$"'

# A link stays one, and what it leads to is written.
ln -s there.s2t here.s2t
cp t.s2t there.s2t
expect 'through a link' 0 '' "$TWOSTAGE" trace gen gen.yaml -o here.s2t
expect 'the link stays' 0 '^there.s2t$' readlink here.s2t
expect 'the file is new' 0 '^accesses +1,?000' "$TWOSTAGE" trace info there.s2t
# shellcheck disable=SC2016
expect 'through /dev/stdout' 0 '' sh -c '"$1" trace gen gen.yaml -o /dev/stdout >piped.s2t' - "$TWOSTAGE"
expect 'which is whole' 0 '^piped.s2t: ok' "$TWOSTAGE" trace check piped.s2t
expect 'and /dev/stdout is what it was' 0 '' test -L /dev/stdout
# A trace that is not finished leaves nothing, after SIGKILL either.
"$TWOSTAGE_FAST" trace gen --pattern uniform --footprint 1G --accesses 1G -o killed.s2t &
pid=$!
n=0
until ls -l /proc/$pid/fd 2>/dev/null | grep -q deleted || [ $n -ge 200 ]; do
	n=$((n + 1))
	sleep 0.02
done
kill -9 $pid
wait $pid 2>/dev/null
expect 'killed: nothing is left' 1 '' sh -c 'ls -A | grep killed'

# Standard streams.
rm -f m.db
while read -r words; do
	# shellcheck disable=SC2086
	"$TWOSTAGE_FAST" $words >/dev/full 2>why </dev/null
	[ $? -eq 74 ] && [ "$(grep -c '^twostage: error: standard output: ' why)" -eq 1 ] && pass "$words: full" ||
		fail "$words: full: $(head -n 3 why)"
	# shellcheck disable=SC2086
	"$TWOSTAGE_FAST" $words >&- 2>why </dev/null
	[ $? -eq 74 ] && [ "$(grep -c '^twostage: error: standard output: ' why)" -eq 1 ] && pass "$words: closed" ||
		fail "$words: closed: $(head -n 3 why)"
done <<'EOC'
--help
--version
help run
compare s.db s.db
compare run.json run.json
db info s.db
db check s.db
db export s.db
db schema
db merge m.db s.db
explain -c neoverse-n1 0x1000
geometry
list params
model list
model show neoverse-n1
mrc t.s2t
mrc --csv t.s2t
report -d s.db -o page
run -c neoverse-n1 t.s2t
run --json -c neoverse-n1 t.s2t
sweep -o s.db s.yaml
sweep --json -o new.db s.yaml
sweep -n s.yaml
trace info t.s2t
trace check t.s2t
trace cat t.s2t
EOC
# The file that a command opens first gets none of what was meant for the stream that is closed.
expect 'what they wrote is whole' 0 'new.db: ok, 2 points$' "$TWOSTAGE" db check new.db m.db s.db
# shellcheck disable=SC2016
expect 'all closed' 74 '' sh -c '"$1" sweep -o closed.db s.yaml <&- >&- 2>&-' - "$TWOSTAGE"
expect 'all closed: whole' 0 'closed.db: ok, 2 points$' "$TWOSTAGE" db check closed.db
{
	until [ -e ended ]; do sleep 0.02; done
	"$TWOSTAGE_FAST" list params 2>why
	echo $? >status
} | {
	exec <&-
	: >ended
}
expect 'a pipe that nobody reads' 0 '^74$' cat status
expect 'is told in a line' 0 '^twostage: error: standard output: Broken pipe$' cat why
finish
