#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The example platform of docs/examples/tlm, in C and C++: it builds, and what it prints follows from its
# tables. A walk of three levels of stage 1, each located by two of stage 2, reads 3 x (2 + 1) descriptors, and 2
# more for the page itself; each takes 10 ns, as the access does. Status codes: permission and translation faults at level 3.
. tests/lib.sh
: "${TWOSTAGE:?}"
SYSTEMC_DISABLE_COPYRIGHT_MESSAGE=1
export SYSTEMC_DISABLE_COPYRIGHT_MESSAGE

cat >"$work/expected" <<'END'
store 0x10000008: TLM_OK_RESPONSE, 11 descriptor reads, 120 ns, value 42
load 0x10000008: TLM_OK_RESPONSE, 0 descriptor reads, 10 ns, value 42
store 0x10001000: TLM_COMMAND_ERROR_RESPONSE, 9 descriptor reads, 90 ns, status code 0xf, value 42
load 0x10002000: TLM_ADDRESS_ERROR_RESPONSE, 9 descriptor reads, 90 ns, status code 0x7, value 42
DMI for 0x10200000..0x103fffff
load 0x10300000: TLM_OK_RESPONSE, 0 descriptor reads, 10 ns, value 7
load 0x10000008: TLM_OK_RESPONSE, 0 descriptor reads, 10 ns, value 42
no DMI any more for 0x10000000..0x10000fff
load 0x10000008: TLM_OK_RESPONSE, 11 descriptor reads, 120 ns, value 0
END
# make knows no names with spaces.
ln -s "$PWD" "$work/top"
top=$work/top
build() {
	make -s -C docs/examples/tlm TOP="$top" B="$top/$1" OUT="$work/$1" CC="$2" CXX="$3" CFLAGS="$4" WARN='-Wall -Wextra -Werror'
}
expect 'gcc with sanitizers' 0 '' build build-asan gcc g++ '-O0 -fsanitize=address,undefined -fno-sanitize-recover=all'
expect 'its run' 0 '' sh -c '"$1" >"$2"' - "$work/build-asan/tlm" "$work/got"
expect 'its output' 0 '' cmp "$work/expected" "$work/got"

# Several threads in the MMU, and a memory that waits. A walk for the page reads 11 descriptors, for the block, whose leaf is a
# level higher, 8, for the unmapped page 9; each takes 10 ns, as the access does. The page moves while the first walk is at its last two
# reads, so that walk still finds the old one, and the next access walks again.
cat >"$work/expected" <<'END'
33 ns, debugger: 8 bytes, value 7
95 ns, second: TLM_OK_RESPONSE, status code 0, value 7
105 ns, second: TLM_OK_RESPONSE, status code 0, value 7
120 ns, first: TLM_OK_RESPONSE, status code 0, value 42
195 ns, second: TLM_ADDRESS_ERROR_RESPONSE, status code 0x7, value 0
240 ns, first: TLM_OK_RESPONSE, status code 0, value 43
250 ns, first: TLM_OK_RESPONSE, status code 0, value 43
END
threads() {
	flags='-O0 -fsanitize=address,undefined -fno-sanitize-recover=all -Isim -Idocs/examples/tlm'
	# shellcheck disable=SC2086
	gcc -std=c17 $flags -c -o "$work/tables.o" docs/examples/tlm/tables.c &&
		g++ -std=c++17 -Wall -Wextra -Werror $flags -o "$work/threads" tests/cli/tlm_threads.cpp "$work/tables.o" \
			build-asan/libtwostage.a -lsystemc
}
expect 'threads: build' 0 '' threads
expect 'threads: run' 0 '' sh -c '"$1" >"$2"' - "$work/threads" "$work/got"
expect 'threads: output' 0 '' cmp "$work/expected" "$work/got"
finish
