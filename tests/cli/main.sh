#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The program itself: help, suggestions, exit statuses, lost output; and the lists.
. tests/lib.sh
: "${TWOSTAGE:?}"

expect 'help' 0 '^Usage: twostage COMMAND' "$TWOSTAGE" --help
expect 'help of a command' 0 '^Usage: twostage run \[OPTION' "$TWOSTAGE" help run
expect 'help of a group' 0 '^Usage: twostage model COMMAND' "$TWOSTAGE" help model
expect 'help of a subcommand' 0 '^Usage: twostage trace info \[OPTION' "$TWOSTAGE" help trace info
expect 'help of two' 64 'one command at a time' "$TWOSTAGE" help trace info check
expect 'version' 0 '^twostage [0-9.]+ \(engine [0-9]+\)$' "$TWOSTAGE" --version
expect 'no command' 64 'no command' "$TWOSTAGE"
expect 'misspelt command' 64 "unknown command 'swep'; did you mean 'sweep'\?" "$TWOSTAGE" swep
expect 'strange command' 64 "unknown command 'xyzzy'; try" "$TWOSTAGE" xyzzy
expect 'misspelt subcommand' 64 "did you mean 'check'\?" "$TWOSTAGE" db chek
expect 'unknown option' 64 "unknown option '--vresion'" "$TWOSTAGE" --vresion
expect 'option of a command' 64 'unrecognized option' "$TWOSTAGE" list --jsno

for command in $("$TWOSTAGE" --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
	[ "$command" = help ] && continue
	expect "help of $command" 0 "^Usage: twostage $command" "$TWOSTAGE" help "$command"
done

expect 'full disk' 74 'standard output: No space left' sh -c '"$TWOSTAGE" list params >/dev/full'
expect 'closed output' 74 'standard output: Bad file descriptor' sh -c '"$TWOSTAGE" list params >&-'
expect 'broken pipe' 74 'standard output: Broken pipe' \
	sh -c '{ until [ -e "$1" ]; do sleep 0.05; done; "$TWOSTAGE" list params; echo $? >&3; } 3>"$0" | { exec <&-; : >"$1"; }
		exit $(cat "$0")' "$work/rc" "$work/closed"
expect 'help into a full disk' 74 'No space left' sh -c '"$TWOSTAGE" run --help >/dev/full'

expect 'plug-ins' 0 '^  lru ' "$TWOSTAGE" list
expect 'parameters' 0 '^stage2.ipa_bits: IPA size' "$TWOSTAGE" list params
expect 'statistics' 0 '^walk_reads_s2 +reads ' "$TWOSTAGE" list stats
expect 'what to list' 64 "did you mean 'stats'\?" "$TWOSTAGE" list stat
for what in plugins params stats; do
	expect "JSON of $what" 0 '' sh -c '"$TWOSTAGE" list "$0" --json | jq -e ".schema == 1"' $what
done
expect 'names in JSON' 0 '^true$' sh -c '"$TWOSTAGE" list stats --json |
	jq "[.stats[].name] | contains([\"accesses\", \"walk_cycles_p99\", \"s2_mapped_4t\"])"'

# json COMMAND... - one object a line: schema, params, stats of plain numbers.
json() {
	expect "JSON of $*" 0 '^true$' sh -c '"$TWOSTAGE" "$@" >"$0" && jq -es "length > 0 and all(.[];
		.schema == 1 and (.params | type) == \"object\" and ([.stats[] | numbers] | length) > 0 and
		all(.stats[]; type == \"number\"))" "$0"' "$work/json" "$@"
}
"$TWOSTAGE" trace gen --accesses=10k --footprint=1M -o "$work/t.s2t"
printf 'name: s\ntraces: [t.s2t]\naxes: { stage2.ipa_bits: [40, 44] }\nmodels: [neoverse-n1]\n' >"$work/s.yaml"
json run -c neoverse-n1 "$work/t.s2t" "$work/t.s2t" --json
json explain --json 0x400000
json geometry --json
json geometry --matrix --json
json trace info --json "$work/t.s2t"
json trace check --json "$work/t.s2t" "$work/t.s2t"
json model show --json cortex-a57
json model check --json
json sweep --json --dry-run -o "$work/s.db" "$work/s.yaml"
json sweep --json -o "$work/s.db" "$work/s.yaml"
json db info --json "$work/s.db"
json mrc --json "$work/t.s2t"
json compare --json "$work/s.db" "$work/s.db"
json db check --json "$work/s.db"
json db merge --json "$work/m.db" "$work/s.db"
finish
