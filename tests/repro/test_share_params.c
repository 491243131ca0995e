/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * params.def says what each parameter decides at most. Brute force: a value of it is changed, and
 * all that it is said not to decide must stay as it was, on random traces with events and TLBIs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_point.h"
#include "refs.h"
#include "config/params.h"
#include "sweep/share.h"
#include "scratch.h"

enum { TRACES = 3, VALUES_MAX = 24, VALUES_TRIED = 3 };

/* Some of each structure, so that there is something to decide. */
#define BASE                                                                                       \
	"guest.memory=4G tlb.l1d.entries=12 tlb.l1i.entries=8 tlb.l2.entries=96 tlb.l2.ways=3 "    \
	"tlb.l2.probe=serial walk_cache.s1.entries=8 walk_cache.s1.ways=2 "                        \
	"walk_cache.s2.entries=8 walk_cache.s2.ways=2 cache.l1d.size=4K core.dic=0 "               \
	"cache.l2.size=64K cache.llc.size=256K"

/* What a point did, as far as others may take it over. */
struct trail {
	uint64_t misses, mapping;
	uint64_t reads; /* 0: they are not written down with such a machine */
	uint64_t times;
};

static struct trace_reader *open_trace(unsigned i)
{
	struct refs_options options = { .seed = 700 + i,
					.n = 1500,
					.vcpus = 1 + i,
					.vms = 1 + i / 2,
					.asids = 1 + i,
					.pages = 60 + 40 * i,
					.same_page_percent = 60,
					.straddle_permille = 6,
					.store_percent = 30,
					.switch_permille = i ? 8 : 0,
					.tlbi_permille = i ? 8 : 0,
					.unmap_permille = i == 2 ? 5 : 0 };
	struct refs refs = refs_random(&options);
	struct trace_reader *trace;
	struct diag diag = DIAG_INIT;
	char name[16];

	snprintf(name, sizeof(name), "p%u.s2t", i);
	refs_write(&refs, scratch_path(name), TRACE_PAGE_RUNS);
	refs_free(&refs);
	trace = trace_open(scratch_path(name), false, &diag);
	assert_non_null(trace);
	return trace;
}

static uint64_t hash(const void *data, size_t n)
{
	const unsigned char *bytes = data;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t hash_reads(const struct read_log *log)
{
	return hash(log->word, log->words * sizeof(*log->word)) ^
	       hash(log->headers.word, log->headers.words * sizeof(*log->headers.word)) ^
	       hash(log->pages.word, log->pages.words * sizeof(*log->pages.word)) * 3;
}

static struct trail leave_trail(const struct config *config, const struct trace_reader *trace)
{
	struct miss_stream stream = { 0 };
	struct map_log map = { 0 };
	struct read_log walks = { .most_bytes = SIZE_MAX };
	struct time_log times = { 0 };
	struct machine_tally tally;
	struct budget budget = { .most_bytes = SIZE_MAX };
	struct recorder recorder = {
		.budget = &budget,
		.stream = &stream,
		.map = &map,
		.walks = &walks,
		.times = &times,
		.tally = &tally,
	};
	struct interval_table intervals;
	struct diag diag = DIAG_INIT;
	struct stats stats;
	struct trail trail;

	assert_int_equal(point_run_recorded(config, trace, &stats, &intervals, &recorder, &diag),
			 STATUS_OK);
	assert_false(stream.overflow || map.overflow);
	assert_false(times.overflow);
	assert_true(stream.misses && map.ops);
	trail = (struct trail){
		.misses = hash(stream.miss, stream.misses * sizeof(*stream.miss)) ^
			  hash(stream.kind, stream.kinds.words * sizeof(*stream.kind)),
		.mapping = map_log_digest(&map),
		.reads = walks.overflow ? 0 : hash_reads(&walks),
		.times = hash(times.kind, times.room * sizeof(*times.kind)) ^
			 hash(times.final, sizeof(times.final)),
	};
	interval_table_free(&intervals);
	miss_stream_fini(&stream);
	map_log_fini(&map);
	read_log_fini(&walks);
	time_log_fini(&times);
	return trail;
}

/* Texts that may be values of a parameter. */
static unsigned values_of(const struct param *param, char values[VALUES_MAX][PARAM_TEXT_MAX])
{
	static const char *const lists[] = { "[4K]",	  "[4K,2M]", "[2M,1G]",
					     "[0,1,2,3]", "[3]",     "[1,2]" };
	static const uint64_t numbers[] = { 0,	 1,    2,    3,	    8,	    12,	    64,
					    500, 1000, 4096, 65536, 262144, 524288, 1048576 };
	const char *name;
	unsigned n = 0;

	if (param->type == PARAM_PLUGIN)
		for (size_t i = 0; (name = params_plugin(param->room, i, NULL)); i++)
			snprintf(values[n++], PARAM_TEXT_MAX, "%s", name);
	for (size_t i = 0; param->type == PARAM_SIZES && i < 3; i++)
		snprintf(values[n++], PARAM_TEXT_MAX, "%s", lists[i]);
	for (size_t i = 3; param->type == PARAM_LEVELS && i < 6; i++)
		snprintf(values[n++], PARAM_TEXT_MAX, "%s", lists[i]);
	if (n)
		return n;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		snprintf(values[n++], PARAM_TEXT_MAX, "%lu", (unsigned long)numbers[i]);
	return n;
}

static void compare(const struct param *param, const char *value, const struct trail *was,
		    const struct trail *is)
{
	if (is->misses != was->misses || is->mapping != was->mapping)
		fail_msg("%s=%s decides what gets through L1, or the mapping", param->key, value);
	if (param->decides >= PARAM_DECIDES_PLACES && is->reads && is->reads != was->reads)
		fail_msg("%s=%s decides which descriptors are read", param->key, value);
	if (param->decides == PARAM_DECIDES_TIME && is->times != was->times)
		fail_msg("%s=%s decides where descriptors are found", param->key, value);
}

/* One value of one parameter, if there is such a machine, on the traces from `first` on. */
static bool try_value(const struct param *param, const char *value, const struct config *base,
		      const struct trail was[TRACES], struct trace_reader *const traces[TRACES],
		      unsigned first)
{
	struct config config = *base;
	struct diag diag = DIAG_INIT;

	if (params_set_row(&config, param, value, &diag) != STATUS_OK ||
	    !engine_possible(&config) || params_agree(&config, base, ~0u))
		return false;
	for (unsigned t = first; t < TRACES; t++) {
		const struct trail is = leave_trail(&config, traces[t]);

		compare(param, value, &was[t], &is);
	}
	return true;
}

static void decides_no_more(void **state)
{
	const struct config base = engine_config(BASE);
	struct trace_reader *traces[TRACES];
	struct trail was[TRACES];
	unsigned n_params = 0, n_values = 0;

	(void)state;
	for (unsigned t = 0; t < TRACES; t++) {
		traces[t] = open_trace(t);
		was[t] = leave_trail(&base, traces[t]);
		assert_true(was[t].reads);
	}
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		char values[VALUES_MAX][PARAM_TEXT_MAX];
		unsigned n, tried = 0;

		if (params[i].decides < PARAM_DECIDES_L2)
			continue;
		n = values_of(&params[i], values);
		for (unsigned v = 0; v < n && tried < VALUES_TRIED; v++)
			tried += try_value(&params[i], values[v], &base, was, traces,
					   params[i].type == PARAM_PLUGIN ? 0 : v % TRACES);
		if (!tried)
			fail_msg("%s: no value of it could be tried", params[i].key);
		n_params++;
		n_values += tried;
	}
	printf("  %u values of %u parameters\n", n_values, n_params);
	assert_true(n_params > 40);
	for (unsigned t = 0; t < TRACES; t++)
		trace_close(traces[t]);
}

/* Parameters of the other kinds do change what is compared here. */
static void decides_that(void **state)
{
	static const char *const settings[] = { "stage2.ipa_bits=48", "host.backing=2M",
						"guest.pages=2M", "tlb.l1d.entries=16" };
	const struct config base = engine_config(BASE);
	struct trace_reader *trace = open_trace(0);
	const struct trail was = leave_trail(&base, trace);

	(void)state;
	for (unsigned i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		struct config config = base;
		struct trail is;

		engine_set(&config, settings[i]);
		is = leave_trail(&config, trace);
		assert_true(is.misses != was.misses || is.mapping != was.mapping);
	}
	trace_close(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(decides_no_more),
					    cmocka_unit_test(decides_that) };

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
