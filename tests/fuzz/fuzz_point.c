/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole point: the first two bytes choose a configuration, the others are a native trace (with
 * its checksums made right) that is replayed. It runs to the end, or is refused with a reason;
 * twice it gives the same.
 */
#include <string.h>

#include "config/params.h"
#include "run/point.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/s2t_repair.h"
#include "trace/s2t.h"

/* Larger traces run as well, but too long for a search. */
enum { FILE_MAX = 1 << 16, RECORDS_MAX = 4096, OWNERS_MAX = 16 };

static uint8_t file[FILE_MAX];

static void set(struct config *config, const char *key, const char *text)
{
	struct diag diag = DIAG_INIT;

	FUZZ_EXPECT(params_set(config, key, text, &diag) == STATUS_OK);
}

/* Small structures, so that a short trace uses all of them. */
static void configure(struct config *config, uint16_t choice)
{
	static const char *const granules[4] = { "4K", "16K", "64K", "4K" };
	static const char *const pages[4] = { "base", "base", "pmd", "pud" };
	static const char *const policies[4] = { "lru", "plru", "fifo", "srrip" };
	static const char *const ipa_bits[4] = { "36", "40", "44", "48" };
	struct diag diag = DIAG_INIT;

	FUZZ_EXPECT(params_defaults(config, &diag) == STATUS_OK);
	set(config, "stage1.granule", granules[choice & 3]);
	set(config, "stage2.granule", granules[choice >> 2 & 3]);
	set(config, "guest.pages", pages[choice >> 4 & 3]);
	set(config, "host.backing", pages[choice >> 6 & 3]);
	set(config, "tlb.l1d.replacement", policies[choice >> 8 & 3]);
	set(config, "stage2.ipa_bits", ipa_bits[choice >> 10 & 3]);
	set(config, "guest.dirty_state", choice >> 12 & 1 ? "hardware" : "preset");
	set(config, "tlb.l1d.entries", "4");
	set(config, "tlb.l1i.entries", "2");
	set(config, "tlb.l2.entries", "16");
	set(config, "tlb.l2.ways", "4");
	if (choice >> 13 & 1)
		set(config, "latency.model", "fixed");
	if (choice >> 14 & 1)
		set(config, "walk_cache.s1.entries", "0");
	if (choice >> 15 & 1)
		set(config, "walk_cache.s2.entries", "0");
}

static bool run(const struct config *config, const struct trace_reader *reader, struct stats *stats)
{
	struct diag diag = DIAG_INIT;
	const enum exit_status status = point_run(config, reader, NULL, stats, &diag);

	FUZZ_EXPECT(status == diag.status);
	FUZZ_EXPECT(status == STATUS_OK || (status == STATUS_BAD_INPUT && diag.text[0]));
	return status == STATUS_OK;
}

static bool small(const struct trace_info *info)
{
	FUZZ_EXPECT(info->vcpus <= S2T_MAX_OWNERS && info->vms <= S2T_MAX_OWNERS);
	return info->totals.records <= RECORDS_MAX && info->vcpus <= OWNERS_MAX &&
	       info->vms <= OWNERS_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[FUZZ_PATH_BYTES];
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader;
	struct fuzz_input in = { data, n };
	struct stats first = { 0 }, second = { 0 };
	struct config config;

	configure(&config, fuzz_u16(&in));
	if (in.n == 0 || in.n > FILE_MAX)
		return 0;
	memcpy(file, in.p, in.n);
	s2t_repair(file, in.n);
	reader = trace_open_fd(fuzz_file(file, in.n, path), "fuzz.s2t", false, &diag);
	if (!reader)
		return 0;
	if (small(trace_info(reader)) && run(&config, reader, &first))
		FUZZ_EXPECT(run(&config, reader, &second) &&
			    memcmp(&first, &second, sizeof(first)) == 0);
	trace_close(reader);
	return 0;
}
