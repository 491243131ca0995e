#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage map`: the cases of the tree, printing, checking, rules, and bad input.
. tests/lib.sh
: "${TWOSTAGE:?}"

map() {
	"$TWOSTAGE" map "$@"
}

for f in tests/conform/kvm/*.txt; do
	expect "$f" 0 '^[0-9]+ passed, 0 failed$' map --check "$f"
done

# Printing gives back every line of the file, snapshots recomputed.
expect 'print' 0 '' map tests/conform/kvm/rules.txt
if cmp -s "$work/out" tests/conform/kvm/rules.txt; then pass 'same lines'; else fail 'same lines'; fi
expect 'standard input' 0 '^[0-9]+ passed, 0 failed$' sh -c '"$TWOSTAGE" map --check - <tests/conform/kvm/rules.txt'
for other in "${TWOSTAGE_FAST:-$TWOSTAGE}" "${TWOSTAGE_CLANG:-$TWOSTAGE}"; do
	"$other" map tests/conform/kvm/rules.txt | cmp -s - tests/conform/kvm/rules.txt && pass 'compilers' || fail 'compilers' "$other"
done

map --json tests/conform/kvm/rules.txt >"$work/json"
expect 'JSON' 0 '"leaves":\[{"size":"1G","s2ap":"RW","xn":2,"af":1,"memattr":15,"sh":3,"count":1},{"size":"2M"' cat "$work/json"
expect 'JSON is well formed' 0 '"name": "hang"' jq . "$work/json"
expect 'JSON of a refusal' 0 '"error":"KVM_CREATE_VM:EINVAL"' cat "$work/json"

# Four rules, one 1G page at the default IPA size and at 44 bits.
cat >"$work/case" <<'END'
host kernel=6.12 page=4k cpu=neoverse-n1 ipa_limit=48 dic=0 fwb=0 lpa2=0
name=ipa40 ipa=40 base=0x40000000 size=1G backing=htlb30 hskew=0 script=w:0:1G:1;snap
name=ipa44 ipa=44 base=0x40000000 size=1G backing=htlb30 hskew=0 script=w:0:1G:1;snap
END
leaf_at() {
	expect "$1 at IPA $2" 0 '' map --rule "$1" "$work/case"
	got=$(awk -v name="name=ipa$2" '$1 == name { getline; print $9 }' "$work/out")
	if [ "$got" = "leaves_by_size=$3" ]; then pass; else fail "$1 at IPA $2: $got, not $3"; fi
}
leaf_at v10 40 4K:1
leaf_at v10 44 1G:1
leaf_at relaxed 40 1G:1
leaf_at relaxed 44 1G:1
leaf_at size 40 1G:1
leaf_at upstream 40 1G:1

# A difference: file and line, both lines, exit status 1; each snapshot is one case.
map "$work/case" >"$work/right"
expect 'right' 0 '^2 passed, 0 failed$' map --check "$work/right"
sed 's/1G_RW/1G_RO/' "$work/right" >"$work/wrong"
expect 'mismatch' 1 'wrong:3: ipa40: mismatch' map --check "$work/wrong"
expect 'mismatch shows both' 1 '^    got      snap 1 .*1G_RW' map --check "$work/wrong"
expect 'mismatch counted' 1 '^0 passed, 2 failed$' map --check "$work/wrong"
expect 'no snapshot to compare' 1 '^0 passed, 2 failed$' map --check "$work/case"
head -n 1 "$work/right" >"$work/none"
expect 'no case at all is no success' 65 'none: no snapshot in it' map --check "$work/right" "$work/none"
sed '3p' "$work/right" >"$work/more"
expect 'one too many' 1 '^2 passed, 1 failed$' map --check "$work/more"

# The slot's last byte is in it; the log has bits to the end of the last 64 pages, which KVM refuses to clear.
sed 's/size=1G/size=4K/;s/htlb30/anon/;s/:1G:1;/:4K:1;discard:0:4K;collapse:4095;logon;clrlog:0:256K;/' "$work/case" >"$work/edges"
expect 'up to the end of the slot' 0 '^snap 1 error=- .*leaves_by_size=none' map "$work/edges"

# bad NAME PATTERN SED - the case edited by SED is refused with file and line.
bad() {
	sed "$3" "$work/case" >"$work/bad"
	expect "$1" 65 "bad:[0-9]+: error: .*$2" map "$work/bad"
}
bad 'no host' "no 'host' line" 1d
bad 'unknown key' "unknown key 'kernal'; did you mean 'kernel'" 's/kernel=/kernal=/'
bad 'unknown case key' "unknown key 'bas'; did you mean 'base'" 's/base=/bas=/'
bad 'missing key' "no 'hskew='" 's/hskew=0 //'
bad 'missing host key' "no 'lpa2='" 's/ lpa2=0//'
bad 'key twice' "'ipa' stands twice" 's/ipa=40/ipa=40 ipa=41/'
bad 'kernel' 'kernel=5.10; expected 6.1 to 6.12' 's/=6.12/=5.10/'
bad 'page' 'page=8k; expected 4k, 16k or 64k' 's/page=4k/page=8k/'
bad 'flag' 'dic=2; expected 0 or 1' 's/dic=0/dic=2/'
bad 'limit' 'ipa_limit=53; expected 32 to 52' 's/limit=48/limit=53/'
bad 'ipa' 'ipa=-1' 's/ipa=40/ipa=-1/'
bad 'base' 'base=0x; expected an address' 's/0x40000000/0x/'
bad 'huge size' 'size=99999999999G' 's/size=1G/size=99999999999G/'
bad 'backing' 'backing=huge; expected anon, thp or htlbN' 's/htlb30/huge/'
bad 'small hugetlb' 'backing=htlb11' 's/htlb30/htlb11/'
bad 'no such hugetlb' 'backing=htlb22' 's/htlb30/htlb22/'
bad 'chunk of contiguous pages' 'chunk=64K' 's/hskew=0/hskew=0 chunk=64K/'
bad 'flags' 'flags=4; expected 0 to 3' 's/hskew=0/hskew=0 flags=4/'
bad 'manual' 'manual=2' 's/hskew=0/hskew=0 manual=2/'
bad 'chunk' 'chunk=3M; expected 0, or the size of a page or block' 's/hskew=0/hskew=0 chunk=3M/'
bad 'no value' "'skew'; expected KEY=VALUE" 's/hskew=0/skew/'
bad 'step' "script step 'q:0:1G:1'; expected r, w" 's/w:0/q:0/'
bad 'step numbers' "'w:0:1G'; expected w with 3 numbers" 's/:1G:1/:1G/'
bad 'step number' "'w:z:1G:1'" 's/w:0/w:z/'
bad 'step too long' "'snap:1'; expected snap with 0 numbers" 's/;snap/;snap:1/'
bad 'step too large' 'too large' 's/1G:1;/1G:99999999;/'
bad 'discard behind the slot' "'discard:512M:513M': outside the slot; expected a range within its 0x40000000 bytes" 's/;snap/;discard:512M:513M/'
bad 'discard that begins there' "'discard:2G:0': outside the slot" 's/;snap/;discard:2G:0/'
bad 'collapse behind the slot' "'collapse:1G': outside the slot" 's/;snap/;collapse:1G/'
bad 'clear log behind the slot' "'clrlog:1G:256K': outside the slot" 's/;snap/;logon;clrlog:1G:256K/'
bad 'other line' 'expected a line with host' 's/^name=ipa44/what=ipa44/'
printf 'host a\0b\n' >"$work/bad"
expect 'zero byte' 65 'bad:1: error: a zero byte' map "$work/bad"
awk 'BEGIN { printf "# "; for (i = 0; i < 70000; i++) printf "x"; print "" }' >"$work/bad"
expect 'long line' 65 'bad:1: error: line longer' map "$work/bad"
expect 'no file' 66 'nothing: error: No such file' map "$work/nothing"
expect 'folder' 74 'error: Is a directory' map "$work"
expect 'no argument' 64 'no FILE' map
expect 'no such rule' 64 "no rule 'relaxd'; did you mean 'relaxed'" map --rule relaxd "$work/case"
expect 'full disk' 74 'No space left' sh -c '"$TWOSTAGE" map "$1" >/dev/full' sh "$work/case"

finish
