#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage mrc`: its three formats, options, bad input; a curve worked out by hand; against `run`.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}" "${TWOSTAGE_CLANG:?}"
cp tests/lib.sh "$work/script"
cd "$work" || exit 70

# Pages 1 2 3 1 2 3, and page 1 of a second address space: four first uses, else depth 3. As 2M pages
# there is one of each address space.
cat >t.csv <<'EOF'
vcpu,vm,asid,el,kind,va,size
0,0,1,0,load,0x1000,8
0,0,1,0,load,0x2000,8
0,0,1,0,store,0x3000,8
0,0,1,0,load,0x1000,8
0,0,1,0,load,0x2000,8
0,0,1,0,load,0x3008,8
0,0,2,0,load,0x1000,8
EOF
mrc() {
	"$TWOSTAGE" mrc "$@"
}
expect 'import' 0 '' "$TWOSTAGE" trace convert -g page t.csv -o t.s2t
expect 'CSV' 0 '^stream,page_size,entries,lookups,misses$' mrc --csv --sizes 1,2,3,4 t.s2t
mrc --csv --sizes 1,2,3,4 t.s2t >t.out
for line in data,4096,1,7,7 data,4096,2,7,7 data,4096,3,7,4 data,4096,4,7,4 data,2097152,1,7,2 fetch,4096,4,0,0; do
	expect "line $line" 0 '' grep -qx "$line" t.out
done
mrc --csv --sizes 1,2,3,4 t.csv >csv.out
expect 'of a foreign trace' 0 '' cmp t.out csv.out
expect 'text' 0 '^ +4 +571\.429 +' mrc t.s2t
expect 'no further than misses fall' 0 '^4$' sh -c '"$TWOSTAGE" mrc --json -p 4K t.s2t | jq ".entries[-1]"'
expect 'JSON' 0 '^\{"stream":"data","page_size":65536,"lookups":7,.*"misses":\[2\]\}$' sh -c '
	"$TWOSTAGE" mrc --json --page-size=64K --stream=data t.s2t | jq -c ".curves[0]"'

"$TWOSTAGE_FAST" trace gen --pattern=zipf --footprint=64M --accesses=300000 --fetches=1 --seed=4 -o z.s2t
expect 'one stream' 0 '^2$' sh -c '"$TWOSTAGE" mrc --json -t fetch -p 4K,2M z.s2t | jq ".curves | length"'
expect 'fine steps' 0 '^\[1,2,3,4,5,6,7,8,10,12,15,18,22,27,33,41,51,63,78,97,121\]$' sh -c '
	"$TWOSTAGE" mrc --json --fine z.s2t | jq -c ".entries[0:21]"'
for program in "$TWOSTAGE_FAST" "$TWOSTAGE_CLANG"; do
	"$program" mrc --json z.s2t >other.json
	mrc --json z.s2t >asan.json
	expect "the same by $program" 0 "" cmp asan.json other.json
	expect "something by $program" 0 "" test -s other.json
done
for entries in 1 16 100 3000; do
	run=$("$TWOSTAGE_FAST" run --json -s tlb.l1d.entries=$entries -s tlb.l1d.ways=full -s tlb.l1d.page_sizes=4K z.s2t |
		jq .stats.l1d_tlb_misses)
	curve=$(mrc --json -p 4K -t data --sizes $entries z.s2t | jq '.curves[0].misses[0]')
	expect "$entries entries: curve ($curve) = run ($run)" 0 "" test -n "$run" -a "$run" = "$curve"
done

expect 'no trace' 64 'no trace' mrc
expect 'two traces' 64 'too many arguments' mrc t.s2t t.s2t
expect 'no such trace' 66 'none.s2t' mrc none.s2t
expect 'not a trace' 65 'error:' mrc script
head -c 300 z.s2t >short.s2t
expect 'damaged trace' 65 'short.s2t' mrc short.s2t
for list in 3K 2K '' 4K, 4K,,2M 512T 4096000000000000000 x 4Kx; do
	expect "page sizes '$list'" 64 'expected powers of two from 4K to 256T' mrc --page-size="$list" t.s2t
done
for list in 0 '' 1, -1 1,x 1e3; do
	expect "sizes '$list'" 64 'expected numbers' mrc --sizes="$list" t.s2t
done
expect 'too many page sizes' 64 'more than 16 page sizes' mrc -p 4K,8K,16K,32K,64K,128K,256K,512K,1M,2M,4M,8M,16M,32M,64M,128M,256M t.s2t
mrc --csv -p 4K,2M --sizes 1,4 t.s2t >once.out
mrc --csv -p 4K,2M,4K,2048K --sizes 1,4,1,4 t.s2t >twice.out
expect 'what is named twice is printed once' 0 '' cmp once.out twice.out
expect 'stream' 64 'expected data, fetch or all' mrc -t both t.s2t
expect 'granule' 64 'expected 4K, 16K or 64K' mrc --granule=8K t.s2t
expect 'full disk' 74 'No space left' sh -c '"$TWOSTAGE" mrc t.s2t >/dev/full'
finish
