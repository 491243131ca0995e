#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `twostage model`: the models that are shipped, and models that are wrong.
. tests/lib.sh
: "${TWOSTAGE:?}"
top=$PWD

for core in neoverse-n1 graviton2 neoverse-n2 neoverse-v2 cortex-a76 cortex-a72 cortex-a57 seattle cortex-a55 cortex-a53 apple-m1 \
	armv8-max; do
	expect "$core is listed" 0 "^$core " "$TWOSTAGE" model list
	expect "$core is sound" 0 "^$core: ok, [0-9]+ values with a source" "$TWOSTAGE" model check $core
done
expect 'all are sound' 0 '' "$TWOSTAGE" model check
expect 'a value and its source' 0 '^tlb.l2.entries +1280 entries$' "$TWOSTAGE" model show neoverse-n1
expect 'where it is from' 0 'source: N1 TRM' "$TWOSTAGE" model show neoverse-n1
expect 'an assumption' 0 'assumed: ' "$TWOSTAGE" model show neoverse-n1
expect 'inherited' 0 '^tlb.l1d.entries +32 entries$' "$TWOSTAGE" model show seattle
expect 'as JSON' 0 '^1280$' sh -c '"$TWOSTAGE" model show neoverse-n1 --json | jq ".params[\"tlb.l2.entries\"]"'
expect 'list as JSON' 0 '^true$' sh -c '"$TWOSTAGE" model list --json | jq "any(.models[]; .name == \"seattle\")"'
expect 'found from elsewhere' 0 '^seattle: ok' sh -c 'cd / && "$TWOSTAGE" model check seattle'
expect 'no such model' 66 "no model 'seatle'; did you mean 'seattle'\?" "$TWOSTAGE" model show seatle
expect 'no such file' 66 'x/y.yaml: no such file' "$TWOSTAGE" model show x/y.yaml

# wrong NAME TEXT PATTERN: a model that is refused with a line that matches.
wrong() {
	printf "$2" >"$work/m.yaml"
	expect "$1" 65 "^$work/m.yaml:$3" "$TWOSTAGE" model check "$work/m.yaml"
}
wrong 'no source' 'seed: 3\n' '1:1: error: seed has neither'
wrong 'misspelt key' 'stage2:\n  ipa_bit: 40\n' "2:3: error: unknown parameter .*did you mean 'stage2.ipa_bits'\?"
wrong 'misspelt group' 'stag2:\n  ipa_bits: 40\n' "1:1: error: unknown parameter .*did you mean 'stage2'\?"
wrong 'wrong type' 'stage2:\n  ipa_bits: forty\n' "2:13: error: stage2.ipa_bits: 'forty' is not a whole number"
wrong 'out of range' 'stage2: { ipa_bits: 60 }\n' '1:21: error: .*expected 32 to 52 bits'
wrong 'duplicate key' 'seed: 1\nseed: 2\n' "2:1: error: duplicate key 'seed'"
wrong 'no YAML' 'a: [1,\n' '2:1: error: not valid YAML'
wrong 'bytes' 'a: \377\n' ' byte 3: error: not valid YAML'
wrong 'cyclic base' 'base: m.yaml\n' '1:7: error: base: .* is built upon itself'
wrong 'impossible core' 'core.id_aa64mmfr0: { value: 0x1124, source: x }\nstage2.granule: { value: 16K, source: x }\n' ' error: .*16K'
head -c 100000 /dev/zero | tr '\0' '[' >"$work/m.yaml"
expect 'deep' 65 'nested deeper than 32' "$TWOSTAGE" model check "$work/m.yaml"
finish
