/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

uint8_t fuzz_u8(struct fuzz_input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->p++;
}

uint16_t fuzz_u16(struct fuzz_input *in)
{
	const uint16_t low = fuzz_u8(in);

	return (uint16_t)(low | fuzz_u8(in) << 8);
}

uint64_t fuzz_u64(struct fuzz_input *in)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 64; i += 8)
		value |= (uint64_t)fuzz_u8(in) << i;
	return value;
}

int fuzz_empty_file(void)
{
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_EXPECT(fd >= 0);
	return fd;
}

int fuzz_file(const uint8_t *data, size_t n, char path[FUZZ_PATH_BYTES])
{
	const int fd = fuzz_empty_file();

	for (size_t done = 0; done < n;) {
		const ssize_t wrote = write(fd, data + done, n - done);

		FUZZ_EXPECT(wrote > 0 || errno == EINTR);
		done += wrote > 0 ? (size_t)wrote : 0;
	}
	snprintf(path, FUZZ_PATH_BYTES, "/proc/self/fd/%d", fd);
	return fd;
}

/* Past stderr, which a target may have silenced. */
void fuzz_fail(const char *file, int line, const char *condition)
{
	dprintf(STDERR_FILENO, "%s:%d: expected: %s\n", file, line, condition);
	abort();
}
