/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole of `twostage translate`, printing, explaining and checking: the bytes are its FILE. */
#include <stdio.h>
#include <unistd.h>

#include "base/diag.h"
#include "cli/command.h"
#include "tests/fuzz/fuzz.h"

extern const struct command cmd_translate;

static void silence(void)
{
	static FILE *nowhere;

	if (nowhere)
		return;
	nowhere = fopen("/dev/null", "w");
	FUZZ_EXPECT(nowhere);
	stdout = stderr = nowhere;
}

static bool status_is_known(int status)
{
	return status == STATUS_OK || status == STATUS_MISMATCH || status == STATUS_BAD_INPUT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[FUZZ_PATH_BYTES], name[] = "translate", explain[] = "-e", check[] = "-c";
	char *print_args[] = { name, explain, path, NULL },
	     *check_args[] = { name, check, path, NULL };
	const int fd = fuzz_file(data, n, path);

	silence();
	FUZZ_EXPECT(status_is_known(cmd_translate.run(3, print_args)));
	FUZZ_EXPECT(status_is_known(cmd_translate.run(3, check_args)));
	close(fd);
	return 0;
}
