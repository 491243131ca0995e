#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Peers in `make bench`, by stand-ins on PATH that keep what they are given: the trace's accesses in the peer's format,
# with as many L1 TLB misses; figures in the JSON; one that fails costs only its own.
. tests/lib.sh
: "${TWOSTAGE:?}"
bench=$PWD/build-asan/tests/bench/bench_replay
mkdir "$work/bin" && cd "$work" || exit 70
cp -r "$OLDPWD/models" models
cat >bin/dineroIV <<'EOF'
#!/bin/sh
echo "$*" >dinero.args
cat >dinero.din
EOF
cat >bin/champsim <<'EOF'
#!/bin/sh
echo "$1 $2 $3 $4 ${5##*.}" >champsim.args
cp "$5" champsim.bin
EOF
"$TWOSTAGE" trace gen --pattern zipf --footprint 2M --accesses 30000 --stores 30 --fetches 2 --code 1M --seed 4 -o t.s2t || fail 'trace gen'

expect 'none installed' 0 '"peers":\[\]' env PATH=/usr/bin:/bin "$bench" -r 1 t.s2t
chmod +x bin/*
PATH=$work/bin:$PATH
export PATH
"$bench" -r 1 -p 2000000 t.s2t >out.json || fail 'bench'
expect 'both, all accesses' 0 '^dineroIV 90000,champsim 120000$' \
	jq -r '[.traces[0].peers[] | "\(.peer) \(.accesses)"] | join(",")' out.json
expect 'what Dinero is' 0 '^-l1-isize 256k -l1-ibsize 4k -l1-iassoc 64 .*-informat d$' cat dinero.args
expect 'what ChampSim is' 0 '^-w 0 -i 90000 trace$' cat champsim.args
counts='.stats | "\(.fetches) \(.loads) \(.stores) \(.l1i_tlb_misses) \(.l1d_tlb_misses)"'
reads='.stats | "\(.fetches) \(.loads + .stores) 0 \(.l1i_tlb_misses) \(.l1d_tlb_misses)"'
misses='.stats | "\(.loads) \(.stores) \(.l1i_tlb_misses) \(.l1d_tlb_misses)"'
"$TWOSTAGE" run --json -c neoverse-n1 t.s2t >t.json
expect 'a test with misses' 0 '^60000 [1-9][0-9]* [1-9][0-9]* [1-9][0-9]+ [1-9][0-9]+$' jq -r "$counts" t.json
expect "Dinero's input, stores as reads" 0 "^$(jq -r "$reads" t.json)\$" sh -c "\"$TWOSTAGE\" run --json -c neoverse-n1 --from din dinero.din | jq -r '$counts'"
expect "ChampSim's input" 0 "^$(jq -r "$misses" t.json)\$" sh -c "\"$TWOSTAGE\" run --json -c neoverse-n1 --from champsim champsim.bin | jq -r '$misses'"

expect 'a part of it' 0 '^dineroIV 2000,champsim 200$' sh -c "\"$bench\" -r 1 -p 2000 t.s2t | jq -r '[.traces[0].peers[] | \"\(.peer) \(.accesses)\"] | join(\",\")'"
printf '#!/bin/sh\nexit 3\n' >bin/dineroIV
expect 'one that fails' 0 '^bench_replay: error: dineroIV: it failed' "$bench" -r 1 t.s2t
expect 'costs only its own' 0 '"peers":\[\{"peer":"champsim"' "$bench" -r 1 t.s2t
expect 'nothing is left behind' 0 '^0$' sh -c 'ls "${TMPDIR:-/tmp}" | grep -c "^peer\." || :'
finish
