/* SPDX-License-Identifier: BSD-2-Clause */
/* An initramfs in cpio's "newc" format (Linux, Documentation/driver-api/early-userspace). */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "kvm_live.h"

static void pad(FILE *out)
{
	while (ftell(out) % 4)
		putc(0, out);
}

static void header(FILE *out, const char *name, unsigned mode, size_t bytes)
{
	static unsigned inode;

	fprintf(out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++inode, mode, 0,
		0, 1, 0, (unsigned)bytes, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0);
	fwrite(name, strlen(name) + 1, 1, out);
	pad(out);
}

bool initramfs_write(FILE *out, const char *vmm)
{
	FILE *in = fopen(vmm, "rb");
	struct stat status;

	if (!in || fstat(fileno(in), &status) != 0) {
		fprintf(stderr, "%s: error: %s\n", vmm, strerror(errno));
		if (in)
			fclose(in);
		return false;
	}
	header(out, "dev", S_IFDIR | 0755, 0);
	header(out, "proc", S_IFDIR | 0755, 0);
	header(out, "sys", S_IFDIR | 0755, 0);
	header(out, "init", S_IFREG | 0755, (size_t)status.st_size);
	for (off_t i = 0; i < status.st_size; i++)
		putc(getc(in), out);
	fclose(in);
	pad(out);
	header(out, "TRAILER!!!", 0, 0);
	return fflush(out) == 0;
}
