#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# guest.image on the command line: a real guest's memory, what a result is named by, wrong files.
. tests/lib.sh
: "${TWOSTAGE:?}" "${TWOSTAGE_FAST:?}" "${TWOSTAGE_CLANG:?}"
trace=$PWD/traces/guest-image.s2t
zstd -q -d --long=27 traces/guest-image.img.zst -o "$work/g.img" || fail 'the image does not unpack'
cp traces/guest-image.img.regs "$work/g.img.regs"
(cd traces && sha256sum --quiet -c SHA256SUMS) >"$work/sums" 2>&1 || fail "traces: $(cat "$work/sums")"
models=$PWD/models
TWOSTAGE_MODELS=$models
export TWOSTAGE_MODELS
cd "$work" || exit 70

# ---- it runs -------------------------------------------------------------------------------------

stat() {
	sh -c '"$TWOSTAGE_FAST" run --json -s guest.image=g.img "$@" | jq -r "$expression"' sh "$@"
}
expression='[.stats.accesses, .stats.s1_faults, .stats.table_pages_s1, (.stats.mmio_exits > 0)] | join(" ")'
export expression
expect 'runs on the own tables of the guest' 0 '^4000000 0 0 true$' stat "$trace"
expect 'on another core and host' 0 '^4000000 0 0 true$' \
	stat -c neoverse-n1 -s host.backing=2M -s host.block_rule=v10 "$trace"
for build in "$TWOSTAGE" "$TWOSTAGE_FAST" "$TWOSTAGE_CLANG"; do
	"$build" run --json -s guest.image=g.img "$trace" >"json.$(basename "$(dirname "$build")")"
done
expect 'all builds give the same' 0 '^1$' sh -c 'md5sum json.* | cut -c 1-32 | sort -u | wc -l'
va=$("$TWOSTAGE_FAST" trace cat "$trace" | awk -F, '$5 == "fetch" && $6 ~ /^0xffff/ && !n++ { print $6 " " $7 }')
expect 'explain: the IPA of the trace' 0 "^ +[0-9]+ +2 +[0-3] +final IPA +${va#* } " \
	"$TWOSTAGE" explain -s guest.image=g.img "${va% *}"
expect 'explain: an address that is not mapped' 65 'VA 0x1000 .ASID 1.: translation fault at level' \
	"$TWOSTAGE" explain -s guest.image=g.img 0x1000
expect 'the trace of another guest' 65 'does the image belong to this trace' \
	"$TWOSTAGE" run -s guest.image=g.img "${trace%/*}/linux-boot.s2t"

# ---- what a result is named by -------------------------------------------------------------------

sweep() {
	cat >s.yaml <<-EOF
		name: image
		models: neoverse-n1
		traces: $trace
		axes: { guest.image: [$1], host.backing: [4K, 2M] }
	EOF
	"$TWOSTAGE_FAST" sweep -o r.db s.yaml
}
expect 'sweep' 0 ': 4 points: 4 run' sweep 'g.img, none'
expect 'again' 0 ': 4 points: 0 run, 0 impossible, 4 there' sweep 'none, g.img'
expect 'database is sound' 0 ': ok, 4 points' "$TWOSTAGE" db check r.db
expect 'rows name file and content' 0 '^2$' sh -c \
	'"$TWOSTAGE_FAST" db export r.db | grep -cE "g.img#[0-9a-f]{16}"'
digest=$("$TWOSTAGE_FAST" db export r.db | grep -oE 'g.img#[0-9a-f]{16}' | head -n 1)
expect 'what a row says is accepted' 0 ': 2 points: 0 run, 0 impossible, 2 there' sweep "'$digest'"
printf '\377' | dd of=g.img bs=1 seek=$((0x6fff000)) conv=notrunc 2>/dev/null
expect 'another content is another point' 0 ': 4 points: 2 run, 0 impossible, 2 there' sweep 'g.img, none'
expect 'a row of the old content' 65 'has digest [0-9a-f]{16}, not' sweep "'$digest'"
expect 'database is still sound' 0 ': ok, 6 points' "$TWOSTAGE" db check r.db

# ---- what is wrong -------------------------------------------------------------------------------

# refuse NAME STATUS PATTERN SETTING... - one line, nothing else.
refuse() {
	what=$1 with=$2 text=$3
	shift 3
	expect "$what" "$with" "$text" "$TWOSTAGE" run "$@" "$trace"
	[ "$(wc -l <out)" -eq 1 ] || fail "$what: more than one line"
}
refuse 'no such image' 66 '^nonesuch: error: cannot open: No such file' -s guest.image=nonesuch
: >alone.img
refuse 'no registers' 66 '^alone.img.regs: error: cannot open' -s guest.image=alone.img
printf 'ram_base=0x40000000\nttbr2_el1=0\n' >alone.img.regs
refuse 'unknown register' 65 "^alone.img.regs:2:1: error: unknown key 'ttbr2_el1'; did you mean" -s guest.image=alone.img
printf 'ram_base=0x4000000g\n' >alone.img.regs
refuse 'no number' 65 "^alone.img.regs:1:10: error: ram_base: '0x4000000g' is not" -s guest.image=alone.img
cp g.img.regs alone.img.regs
refuse 'truncated' 65 '^alone.img: error: 0 bytes, but .* truncated$' -s guest.image=alone.img
sed '/^tcr/d' g.img.regs >alone.img.regs
refuse 'missing register' 65 '^alone.img.regs: error: tcr_el1 is missing' -s guest.image=alone.img
mkdir folder.img
cp g.img.regs folder.img.regs
refuse 'a folder' 65 '^folder.img: error: not a file' -s guest.image=folder.img
refuse 'another granule' 65 'granule of 4K .TCR_EL1.TG0.$' -s guest.image=g.img -s stage1.granule=64K
refuse 'another VA size' 65 'has 48 bits of VA' -s guest.image=g.img -s stage1.va_bits=39
refuse 'another size of memory' 65 'has 134217728 bytes' -s guest.image=g.img -s guest.memory=64M
expect 'a sweep of a missing file runs nothing' 66 'nonesuch: error: cannot open' sweep 'nonesuch, none'

finish
