/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz targets: tests/fuzz/fuzz_NAME.c each define the one function that libFuzzer calls with
 * made-up bytes. `make fuzz` searches with clang's libFuzzer; `make check` replays
 * tests/fuzz/corpus/NAME with main.c and the compiler of the other tests. A target ends the process
 * (FUZZ_EXPECT) where a property does not hold, whatever the bytes.
 */
#ifndef TWOSTAGE_FUZZ_H
#define TWOSTAGE_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns 0. libFuzzer gives the name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Input taken from the front; zeros when it is used up. */
struct fuzz_input {
	const uint8_t *p;
	size_t n;
};

uint8_t fuzz_u8(struct fuzz_input *in);
uint16_t fuzz_u16(struct fuzz_input *in);
uint64_t fuzz_u64(struct fuzz_input *in); /* little endian */

enum { FUZZ_PATH_BYTES = 40 };

/*
 * The bytes as a file without a name, for code that opens paths. Returns its descriptor, which the
 * caller closes, and in `path` a name that opens it.
 */
int fuzz_file(const uint8_t *data, size_t n, char path[FUZZ_PATH_BYTES]);
int fuzz_empty_file(void);

#define FUZZ_EXPECT(condition)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fuzz_fail(__FILE__, __LINE__, #condition);                                 \
	} while (0)

_Noreturn void fuzz_fail(const char *file, int line, const char *condition);

#endif
