#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage explain`: the reads of a walk, one by one, and what it refuses.
. tests/lib.sh
: "${TWOSTAGE:?}"

uncached='-s walk_cache.s1.entries=0 -s walk_cache.s2.entries=0'

# reads NAME NUMBER OPTION... - an uncached walk of a 4K guest page makes NUMBER descriptor reads.
reads() {
	name=$1 number=$2
	shift 2
	# shellcheck disable=SC2086
	expect "$name" 0 "^$number descriptor reads, " "$TWOSTAGE" explain -c neoverse-n1 $uncached "$@" 0x400000
}
reads '4 x 4 levels' 24 -s stage2.ipa_bits=44
reads '4 x 3 levels' 19
reads '2M leaves' 14 -s host.backing=2M
reads 'v10 at 40 bits falls to pages' 19 -s host.backing=1G -s host.block_rule=v10
reads 'v10 at 44 bits' 14 -s host.backing=1G -s host.block_rule=v10 -s stage2.ipa_bits=44
reads 'relaxed at 40 bits' 9 -s host.backing=1G -s host.block_rule=relaxed
reads 'no concatenation' 24 -s stage2.start_level=0

expect 'the last step' 0 '^ *9 +2 +1 +final IPA +0x40200000 .* 1G block at 0xc0000000 ' \
	"$TWOSTAGE" explain -c neoverse-n1 $uncached -s host.backing=1G -s host.block_rule=relaxed 0x400000
expect 'leaves' 0 '^PA 0x[0-9a-f]+234; stage-1 leaf 4K, stage-2 leaf 2M, L1 TLB entry 4K$' \
	"$TWOSTAGE" explain -s host.backing=2M 0x401234
expect 'upper half' 0 '^store of VA 0xffff800000001234$' "$TWOSTAGE" explain -k store 0xffff800000001234
expect 'warm' 0 '^1 descriptor reads, ' "$TWOSTAGE" explain --warm -s host.backing=1G 0x400000

# The steps are the statistics.
"$TWOSTAGE" explain --json -c neoverse-n1 $uncached 0x400000 >"$work/json"
expect 'JSON' 0 '^true$' jq '.stats.walk_reads == (.steps | length) and
	.stats.walk_cycles == ([.steps[].cycles] | add) and .steps[-1].for_level == 4' "$work/json"

expect 'no VA' 64 'which VA' "$TWOSTAGE" explain
expect 'two VAs' 64 'expected one VA' "$TWOSTAGE" explain 0x1000 0x2000
expect 'no number' 64 "'zz': expected one VA" "$TWOSTAGE" explain zz
expect 'more than 64 bits' 64 'expected one VA' "$TWOSTAGE" explain 0x1ffffffffffffffff
expect 'kind' 64 "'read' is not fetch, load or store" "$TWOSTAGE" explain -k read 0x1000
expect 'outside' 65 'raise stage1.va_bits' "$TWOSTAGE" explain 0x1000000000000
expect 'misspelt key' 65 "did you mean 'stage2.ipa_bits'" "$TWOSTAGE" explain -s stage2.ipa_bit=40 0x1000
expect 'impossible core' 65 'no multiple of tlb.l1d.ways' "$TWOSTAGE" explain -s tlb.l1d.ways=7 0x1000
finish
