#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Assigned devices from the command line: what they cost under two block rules, and which VMs cannot have them.
. tests/lib.sh
: "${TWOSTAGE:?}"
cd "$work" || exit 70

"$TWOSTAGE" trace gen --pattern=gups --footprint=256M --accesses=200K --seed=1 -o t.s2t || fail 'trace gen'
run() {
	"$TWOSTAGE" run -s guest.memory=1G -s host.backing=1G -s device.assigned=scattered -s device.ring_bytes=512M \
		-s latency.model=fixed -s latency.fixed_cycles=100 "$@"
}

# 200,000 accesses: 19 buffers of 16 pages. With pages each transaction reads a level 3 descriptor, and each
# buffer, in another 2 MiB than those before, one of level 2; the first also one of level 1, all others
# hit in the walk cache. A 1G block is read once.
run -s host.block_rule=v10 t.s2t >v10 || fail 'v10'
run -s host.block_rule=relaxed t.s2t >relaxed || fail 'relaxed'
expect 'v10: bytes' 0 '^ *dma_bytes +1,245,184 bytes' cat v10
expect 'v10: accesses' 0 '^ *smmu_accesses +304 ' cat v10
expect 'v10: misses' 0 '^ *smmu_tlb_misses +304 ' cat v10
expect 'v10: reads' 0 '^ *smmu_walk_reads +324 ' cat v10
expect 'v10: cycles' 0 '^ *smmu_walk_cycles +32,703 ' cat v10
expect 'relaxed: bytes' 0 '^ *dma_bytes +1,245,184 bytes' cat relaxed
expect 'relaxed: reads' 0 '^ *smmu_walk_reads +1 ' cat relaxed
expect 'relaxed: cycles' 0 '^ *smmu_cycles +3,140 ' cat relaxed
expect 'JSON' 0 '"smmu_tlb_hits":303' run -s host.block_rule=relaxed -j t.s2t

expect 'memory without a size' 65 'guest.memory must say' "$TWOSTAGE" run -s device.assigned=streaming t.s2t
expect 'too few levels' 65 'stage 2 has 4 levels \(48-bit IPAs, 4K granule\).*no more than 3' \
	run -s stage2.ipa_bits=48 -s smmu.levels=3 t.s2t
expect 'enough levels' 0 '' run -s stage2.ipa_bits=48 -s smmu.levels=4 t.s2t
expect 'no such device' 65 'streaming' run -s device.assigned=stream t.s2t

cat >s.yaml <<'END'
name: devices
models: armv8-max
traces: t.s2t
set: { guest.memory: 64M, device.assigned: streaming, smmu.levels: 3, tlb.l1d.entries: 16 }
axes:
  stage2.ipa_bits: [40, 48]
END
"$TWOSTAGE" trace gen --pattern=uniform --footprint=4M --accesses=20K --seed=1 -o t.s2t || fail 'trace gen'
expect 'sweep' 0 '2 points: 1 run, 1 impossible' "$TWOSTAGE" sweep -o t.db s.yaml
expect 'database' 0 '' "$TWOSTAGE" db check t.db
finish
