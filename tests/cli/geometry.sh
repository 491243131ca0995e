#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage geometry`: its three formats, the support matrix, options. The numbers of every row are
# checked in tests/unit/test_geometry.c.
. tests/lib.sh
: "${TWOSTAGE:?}"

geometry() {
	"$TWOSTAGE" geometry "$@"
}

expect 'text' 0 '^4K +40 +3 +L1 +1 +0 +1G +1024 +2 +8K +13 +n/Y/Y +1G +yes +2M$' geometry
expect 'raw levels' 0 '^64K +32 +2 \(raw 1\) +L2 ' geometry
expect '52 bits' 0 '^4K +52 +4 +L0 +2 +1 +512G +8192 +16 +64K +16 +Y/Y/Y ' geometry
geometry >"$work/table"
[ "$(grep -cE '^(4|16|64)K ' "$work/table")" -eq 21 ] && pass rows || fail '21 rows'

cat >"$work/matrix" <<'END'
host VA/granule | IPA 40 | 42 | 44 | 48 | 52
39-bit 4K       |  y | y | n | n | n/a
48-bit 4K       |  y | y | y | y | n/a
36-bit 16K      |  y | n | n | n | n/a
47-bit 16K      |  y | y | y | y | n/a
42-bit 64K      |  y | y | y | n | n
48-bit 64K      |  y | y | y | y | y
END
geometry --matrix >"$work/ours"
cmp -s "$work/matrix" "$work/ours" && pass matrix || fail 'matrix differs'

expect 'CSV' 0 '^4K,40,3,3,1,1,0,1073741824,1024,2,8192,8192,13,1073741824,0,1,1,1,2097152,0x802d3558,,legal$' \
	geometry --csv -g 4K -i 40 --no-lpa2
columns=$(geometry --csv -g 4K -i 40,52 --no-lpa2 | awk -F, '{ print NF }' | sort -u | wc -l)
[ "$columns" -eq 1 ] && pass columns || fail 'CSV rows of several lengths'
expect 'JSON' 0 '"ipa_bits":44,"status":"legal","levels":4' geometry --json
expect 'JSON matrix' 0 '"host_va_bits":39,"granule":4096,"ipa_40":"y"' geometry --matrix --json
geometry --json >"$work/json"
expect 'JSON parses' 0 '^21$' jq .stats.rows "$work/json"

expect 'start level' 0 '^4K +40 +4 +L0 +2 +0 +512G +2 +1 +16B +4 ' geometry -g 4K -i 40 -s 0
expect 'level -1' 0 '^4K +52 +5 +L-1 +0 +1 ' geometry -g 4K -i 52 --start-level=-1
expect 'impossible' 0 '^4K +45 +not possible: ' geometry -g 4K -i 45 --pa 44
expect 'no LPA2' 0 '^4K +52 +not possible: ' geometry -g 4K -i 52 --no-lpa2
expect 'host too small' 0 '^4K +44 .*n$' geometry -g 4K -i 44 --host-va 39
expect 'host levels' 0 '^4K +44 .* n/Y/Y ' geometry -g 4K -i 44 --host-va 39
expect 'range' 0 '^16K +38 ' geometry -g 16K -i 36-40
for bad in '-i 53' '-i 24' '-i 40,' '-i x' '-g 8K' '-s 4' '--pa 45' '--host-va 60' 'extra'; do
	expect "refused: $bad" 64 '' geometry $bad
done

finish
