#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage translate`: the cases of the tree, printing, checking, explaining, and bad input.
. tests/lib.sh
: "${TWOSTAGE:?}"

translate() {
	"$TWOSTAGE" translate "$@"
}

for f in tests/conform/cases/*.txt; do
	expect "$f" 0 '^[0-9]+ passed, 0 failed$' translate --check "$f"
done

# One case by hand: 4K granule, 40-bit IPA from level 1, one 1G block; the stage-1 walk is off.
cat >"$work/case" <<'END'
# corpus cpu=hand ID_AA64MMFR0_EL1=0x1124 ID_AA64MMFR1_EL1=0x0 ID_AA64MMFR2_EL1=0x0 ram=0x40000000-0x10040000000 ext=0x20000000000-0x100000000000
case hand/1
regs TCR_EL1=0x280100010 TTBR0_EL1=0x0 TTBR1_EL1=0x0 MAIR_EL1=0xff SCTLR_EL1=0x30d01804 HCR_EL2=0x80000001 VTCR_EL2=0x80043558 VTTBR_EL2=0x80000000
mem 80000008 800007fd
q S12E1R 40001238 par:80001b00 src=hand
q S12E1R 80001238 par:a0b src=hand
q LDR 40001238 done:0 src=hand
q STR 40001238 done src=hand chg=80001238:5a5aa5a5c3c33c3c
q STR 10000001238 el2abort:fsc=04,s1ptw=0,wnr=1,far=10000001238,hpfar=100000010 src=hand
end
END
expect 'check' 0 '^5 passed, 0 failed$' translate --check "$work/case"
expect 'no query at all is no success' 65 '/dev/null: no query in it' translate --check "$work/case" /dev/null
expect 'standard input' 0 '^5 passed, 0 failed$' sh -c '"$TWOSTAGE" translate --check - <"$1"' sh "$work/case"
expect 'print' 0 '^q STR 40001238 done chg=80001238:5a5aa5a5c3c33c3c$' translate "$work/case"
expect 'explain' 0 'level 1, IPA 40001238: read 80000008 = 800007fd, block of 1G at 80000000' \
	translate --explain "$work/case"
# EC 0x24 (a data abort from below), IL, WnR, a translation fault at level 0.
expect 'explain a fault' 0 'stage-2 translation fault, level 0, IPA 10000001238, ESR_EL2 92000044$' \
	translate --explain "$work/case"

# What is printed can be checked again.
{ head -n 1 "$work/case"; translate "$work/case"; } | awk 'NR == FNR { if (/^(regs|mem)/) keep = keep $0 "\n"; next }
	{ print } /^case/ { printf "%s", keep }' "$work/case" - >"$work/again"
expect 'print, then check' 0 '^5 passed, 0 failed$' translate --check "$work/again"

# A wrong answer: named with file and line, exit status 1.
sed 's/par:80001b00/par:80002b00/' "$work/case" >"$work/wrong"
expect 'mismatch' 1 "wrong:5: hand/1: S12E1R 40001238: mismatch: expected par:80002b00, got par:80001b00" \
	translate --check "$work/wrong"
expect 'mismatch counted' 1 '^4 passed, 1 failed$' translate --check "$work/wrong"
sed 's/ chg=[^ ]*//' "$work/case" >"$work/wrong"
expect 'change missed' 1 '^4 passed, 1 failed$' translate --check "$work/wrong"
# Attributes are a second tier; UNKNOWN bits do not count; the architecture's answer wins.
sed 's/par:80001b00/par:ff00000080001b00/' "$work/case" >"$work/attr"
expect 'attributes' 0 '^1 with other attributes$' translate --check "$work/attr"
sed 's/par:80001b00/par:80001100/' "$work/case" >"$work/unknown"
expect 'unknown bits' 0 '^5 passed, 0 failed$' translate --check "$work/unknown"
sed 's/par:a0b src=hand/par:a07 src=10 arch=par:a0b q72=par:a05 q72chg=1:2/' "$work/case" >"$work/arch"
translate --json "$work/case" >"$work/json"
expect 'JSON' 0 '^true$' jq '.stats.queries == 5 and .queries[0].va == 1073746488 and
	.queries[1].result == "par:a0b" and .queries[3].case == "hand/1"' "$work/json"
sed 's/par:80001b00/par:80002b00/' "$work/case" >"$work/wrong"
translate --check --json "$work/wrong" >"$work/json"
expect 'mismatches as JSON' 0 '^true$' jq '.stats.passed == 4 and .stats.failed == 1 and
	.mismatches[0].line == 5 and .mismatches[0].expected == "par:80002b00"' "$work/json"
expect 'arch=' 0 '^5 passed, 0 failed$' translate --check "$work/arch"

# bad NAME PATTERN SED - the case edited by SED is refused with file and line.
bad() {
	sed "$3" "$work/case" >"$work/bad"
	expect "$1" 65 "bad:[0-9]+: error: .*$2" translate --check "$work/bad"
}
bad 'no end' "within a case; expected 'end'" '/^end/d'
bad 'case in case' "expected 'end' of the one before" 's/^mem .*/case two/'
bad 'unknown register' "unknown register 'VTCR_EL3'; did you mean 'VTCR_EL2'" 's/VTCR_EL2/VTCR_EL3/'
bad 'unknown operation' "unknown operation 'S12E1X'; did you mean 'S12E1" 's/S12E1R/S12E1X/'
bad 'huge number' 'hexadecimal number of at most 64 bits' 's/q LDR 4/q LDR 10000000000000000/'
bad 'no number' "hexadecimal number of at most 64 bits, not '-1'" 's/q LDR 40001238/q LDR -1/'
bad 'unaligned word' 'not aligned to 8 bytes' 's/mem 80000008/mem 80000004/'
bad 'large address' 'more than 52 bits' 's/mem 80000008/mem 10000000000008/'
bad 'unaligned access' 'aligned to 8 bytes' 's/LDR 40001238/LDR 40001234/'
bad 'unknown line' "'qq'; expected regs, mem, q or end" 's/^q LDR/qq LDR/'
bad 'unknown result' 'expected par:' 's/done:0/fine/'
bad 'unknown key' 'unknown key' 's/src=hand chg/source=hand chg/'
bad 'fields missing' 'with all fields' 's/,hpfar=100000010//'
bad 'no corpus line' 'ID registers' 1d
bad 'no registers' "before the 'regs' line" /^regs/d
bad 'query outside' 'outside a case' '/^case/d'
bad 'no answer' 'no result' 's/ done:0 src=hand//'
printf 'case a\0b\n' >"$work/bad"
expect 'zero byte' 65 'bad:1: error: a zero byte' translate "$work/bad"
awk 'BEGIN { printf "case "; for (i = 0; i < 70000; i++) printf "x"; print "" }' >"$work/bad"
expect 'long line' 65 'bad:1: error: line longer' translate "$work/bad"
expect 'no file' 66 'nothing: error: No such file' translate "$work/nothing"
expect 'folder' 74 'error: Is a directory' translate "$work"
expect 'no argument' 64 'no FILE' translate
expect 'full disk' 74 'No space left' sh -c '"$TWOSTAGE" translate "$1" >/dev/full' sh "$work/case"

# T0SZ = 0 on a PE of 48 bits: out of range, which it may fault or clamp to 16.
cat >"$work/clamp" <<'END'
# corpus cpu=a ID_AA64MMFR0_EL1=0x101125 ID_AA64MMFR1_EL1=0x10212122 ID_AA64MMFR2_EL1=0x1011 ram=0x40000000-0x10040000000 ext=0x20000000000-0x1000000000000
case clamp
regs TCR_EL1=0x280100010 TTBR0_EL1=0x0 TTBR1_EL1=0x0 MAIR_EL1=0xff SCTLR_EL1=0x30d01804 HCR_EL2=0x80000001 VTCR_EL2=0x80050080 VTTBR_EL2=0x80000000
mem 80000000 81000003
mem 81000008 400007fd
q S12E1R 40001000
end
END
expect 'T0SZ out of range faults' 0 '^q S12E1R 40001000 par:a09' translate "$work/clamp"
expect 'T0SZ out of range is clamped' 0 '^q S12E1R 40001000 par:40001b00' \
	translate --set core.txsz_out_of_range=clamp "$work/clamp"
expect 'no such choice' 64 'expected a choice of' translate -s core.txsz=clamp "$work/clamp"

finish
