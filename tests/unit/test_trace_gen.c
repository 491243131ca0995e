/* SPDX-License-Identifier: BSD-2-Clause */
/* Synthetic traces: the same everywhere, and what each pattern promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace/gen_pattern.h"
#include "trace/s2t.h"

static void set(struct gen_spec *spec, const char *name, const char *text)
{
	const char *nearest;
	const struct gen_key *key = gen_find_key(name, &nearest);
	char range[GEN_RANGE_BYTES];

	assert_non_null(key);
	assert_null(gen_set(spec, 0, key, text, range));
}

/* The trace of `spec`, at the end of its life unlinked already. */
static struct trace_reader *generate(const struct gen_spec *spec,
				     enum trace_granularity granularity)
{
	struct trace_writer_options options = { .granularity = granularity };
	struct diag diag = DIAG_INIT;
	struct trace_collapser *collapser;
	struct trace_writer *writer;
	struct trace_reader *reader;
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(gen_check(spec, &diag), STATUS_OK);
	writer = trace_create_fd(dup(fileno(file)), "gen", &options, &diag);
	collapser = trace_collapser_create(writer, granularity);
	assert_int_equal(gen_run(spec, collapser, &diag), STATUS_OK);
	assert_int_equal(trace_collapser_finish(collapser, &diag), STATUS_OK);
	assert_int_equal(trace_finish(writer, NULL, &diag), STATUS_OK);
	reader = trace_open_fd(dup(fileno(file)), "gen", false, &diag);
	assert_non_null(reader);
	fclose(file);
	return reader;
}

static uint64_t digest(uint64_t hash, uint64_t value)
{
	return rng_mix(hash ^ value) * 31 + 7;
}

/* All that the records say, apart from how they are compressed. */
static uint64_t record_digest(const struct trace_reader *reader)
{
	struct trace_block b = { 0 };
	uint64_t hash = 0;

	for (uint64_t i = 0; i < trace_info(reader)->blocks; i++) {
		assert_int_equal(trace_read_block(reader, i, COLUMN_ALL, &b, NULL), STATUS_OK);
		for (uint32_t r = 0; r < b.n_records; r++) {
			struct trace_run run = trace_block_run(&b, r);

			hash = digest(hash, run.key.va);
			hash = digest(hash, (uint64_t)run.key.vcpu << 32 | run.key.vm);
			hash = digest(hash, (uint64_t)run.reads << 32 | run.stores);
			hash = digest(hash, run.ordinal);
			hash = digest(hash, run.instructions);
		}
		for (uint32_t e = 0; e < b.n_events; e++)
			hash = digest(hash, b.events[e].before);
	}
	trace_block_free(&b);
	return hash;
}

static struct gen_spec spec_of(const char *pattern)
{
	struct gen_spec spec;

	gen_spec_init(&spec);
	set(&spec, "pattern", pattern);
	set(&spec, "accesses", "30k");
	set(&spec, "footprint", "1M");
	set(&spec, "vcpus", "2");
	set(&spec, "vms", "3");
	set(&spec, "quantum", "700");
	set(&spec, "fetches", "1");
	set(&spec, "stores", "25");
	return spec;
}

/* Figures from one machine: they must be the same on every other. */
static void same_everywhere(void **state)
{
	static const struct {
		const char *pattern;
		uint64_t digest;
	} known[] = {
		{ "stride", UINT64_C(0x7e0973da9a2fbc17) },
		{ "stencil", UINT64_C(0x95c2b2fa9965f5d0) },
		{ "uniform", UINT64_C(0x3a09c2a58c493b8e) },
		{ "zipf", UINT64_C(0x4555cb986b66f9d2) },
		{ "chase", UINT64_C(0xee673ec192fb1416) },
		{ "gups", UINT64_C(0x370839fae54e34de) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct gen_spec spec = spec_of(known[i].pattern);
		struct trace_reader *a = generate(&spec, TRACE_PAGE_RUNS);
		struct trace_reader *b = generate(&spec, TRACE_PAGE_RUNS);

		if (record_digest(a) != known[i].digest)
			fail_msg("%s: digest 0x%llx", known[i].pattern,
				 (unsigned long long)record_digest(a));
		assert_int_equal(trace_info(a)->content_digest, trace_info(b)->content_digest);
		trace_close(b);
		set(&spec, "seed", "2");
		b = generate(&spec, TRACE_PAGE_RUNS);
		assert_true(i < 2 || record_digest(a) != record_digest(b));
		trace_close(a);
		trace_close(b);
	}
}

static void totals_are_as_asked(void **state)
{
	static const char *const patterns[] = { "stride", "uniform", "zipf",
						"chase",  "gups",    "stencil" };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct gen_spec spec = spec_of(patterns[i]);
		struct trace_reader *raw = generate(&spec, TRACE_RAW);
		struct trace_reader *page = generate(&spec, TRACE_PAGE_RUNS);
		struct trace_totals x = trace_info(raw)->totals, y = trace_info(page)->totals;

		assert_int_equal(x.loads + x.stores, 30000);
		assert_int_equal(x.fetches, 30000);
		assert_int_equal(x.instructions, 30000);
		assert_int_equal(trace_info(raw)->vcpus, 2);
		assert_int_equal(trace_info(raw)->vms, 3);
		/* vCPU 0 has VMs 0 and 2 in turn, vCPU 1 has VM 1: 15000 / 700 switches. */
		assert_int_equal(x.events, 21);
		x.records = y.records = 0;
		assert_memory_equal(&x, &y, sizeof(x));
		trace_close(raw);
		trace_close(page);
	}
}

/* Events of one type, and of each of the first three ASIDs. */
static uint64_t events_of(const struct trace_reader *reader, unsigned type, uint64_t by_asid[4])
{
	struct trace_block b = { 0 };
	uint64_t n = 0;

	memset(by_asid, 0, 4 * sizeof(*by_asid));
	for (uint64_t i = 0; i < trace_info(reader)->blocks; i++) {
		assert_int_equal(trace_read_block(reader, i, COLUMN_KEY, &b, NULL), STATUS_OK);
		for (uint32_t e = 0; e < b.n_events; e++) {
			if (b.events[e].type != type)
				continue;
			n++;
			assert_in_range(b.events[e].asid, 1, 3);
			by_asid[b.events[e].asid]++;
		}
	}
	trace_block_free(&b);
	return n;
}

static void processes_forks_unmaps(void **state)
{
	struct gen_spec spec;
	struct trace_reader *reader;
	struct diag diag = DIAG_INIT;
	uint64_t by_asid[4];

	(void)state;
	gen_spec_init(&spec);
	set(&spec, "accesses", "10k");
	set(&spec, "footprint", "1M");
	reader = generate(&spec, TRACE_PAGE_RUNS);
	assert_int_equal(trace_info(reader)->version, 1);
	assert_false(trace_info(reader)->has_forks);
	trace_close(reader);
	set(&spec, "fork_every", "1000");
	set(&spec, "unmap_every", "3000");
	reader = generate(&spec, TRACE_PAGE_RUNS);
	assert_int_equal(trace_info(reader)->version, 2);
	assert_true(trace_info(reader)->has_forks);
	/* Before access 1000, 2000, ... 9000; the one that forks has ASIDs 1 and 2 in turn. */
	assert_int_equal(events_of(reader, EVENT_FORK, by_asid), 9);
	assert_int_equal(by_asid[1], 5);
	assert_int_equal(by_asid[2], 4);
	assert_int_equal(events_of(reader, EVENT_CONTEXT_SWITCH, by_asid), 9);
	assert_int_equal(by_asid[1], 4);
	assert_int_equal(events_of(reader, EVENT_UNMAP, by_asid), 3);
	trace_close(reader);
	set(&spec, "processes", "3");
	assert_int_equal(gen_check(&spec, &diag), STATUS_BAD_INPUT);
	set(&spec, "fork_every", "0");
	set(&spec, "unmap_every", "0");
	set(&spec, "process_quantum", "1000");
	reader = generate(&spec, TRACE_PAGE_RUNS);
	/* 1, then 2, 3, 1, 2, 3, 1, 2, 3, 1. */
	assert_int_equal(events_of(reader, EVENT_CONTEXT_SWITCH, by_asid), 9);
	assert_int_equal(by_asid[2], 3);
	assert_int_equal(by_asid[1], 3);
	trace_close(reader);
}

/* Each node once, then again in the same order. */
static void chase_is_one_cycle(void **state)
{
	enum { NODES = 12345 };
	struct gen_spec spec;
	struct gen_shared shared;
	unsigned char seen[NODES] = { 0 };

	(void)state;
	gen_spec_init(&spec);
	set(&spec, "pattern", "chase");
	spec.phases[0].footprint = NODES * 64;
	assert_true(gen_shared_init(&shared, &spec.phases[0], 1));
	struct gen_stream stream = gen_stream_start(&shared, 1, 0, 1);
	uint64_t first = gen_stream_next(&shared, &stream).va, forward = 0, last = first;

	assert_in_range(first, spec.phases[0].base, spec.phases[0].base + NODES * 64 - 1);
	seen[(first - spec.phases[0].base) / 64] = 1;
	for (int i = 1; i < NODES; i++) {
		uint64_t va = gen_stream_next(&shared, &stream).va;
		uint64_t node = (va - spec.phases[0].base) / 64;

		assert_true(node < NODES && va % 64 == 0);
		assert_false(seen[node % NODES]);
		seen[node % NODES] = 1;
		forward += va > last;
		last = va;
	}
	assert_int_equal(gen_stream_next(&shared, &stream).va, first);
	assert_in_range(forward, NODES * 45 / 100, NODES * 55 / 100);
	gen_shared_free(&shared);
}

/* 1/k^s against exact values where there are some. */
static void zipf_weights(void **state)
{
	const uint64_t one = UINT64_C(1) << 40;

	(void)state;
	assert_int_equal(gen_zipf_weight(1, 990), one);
	assert_int_equal(gen_zipf_weight(77, 0), one);
	for (uint64_t k = 2; k < 100000; k = k * 3 / 2 + 1) {
		uint64_t exact = one / k, got = gen_zipf_weight(k, 1000);

		assert_in_range(got, exact - exact / 1000000 - 2, exact + exact / 1000000 + 2);
		exact = one / (k * k);
		got = gen_zipf_weight(k, 2000);
		assert_in_range(got, exact ? exact - exact / 1000000 - 1 : 0,
				exact + exact / 1000000 + 2);
	}
}

/* Half of the harmonic sum lies in the first ranks; items are scattered, none is missed. */
static void zipf_is_skewed(void **state)
{
	enum { ITEMS = 1000, DRAWS = 200000 };
	struct gen_spec spec;
	struct gen_shared shared;
	unsigned counts[ITEMS] = { 0 }, largest = 0, missed = 0;

	(void)state;
	gen_spec_init(&spec);
	set(&spec, "pattern", "zipf");
	set(&spec, "skew", "1");
	spec.phases[0].footprint = ITEMS * 4096;
	assert_true(gen_shared_init(&shared, &spec.phases[0], 1));
	struct gen_stream stream = gen_stream_start(&shared, 1, 0, 1);

	for (int i = 0; i < DRAWS; i++)
		counts[(gen_stream_next(&shared, &stream).va - spec.phases[0].base) / 4096]++;
	for (int i = 0; i < ITEMS; i++) {
		largest = counts[i] > largest ? counts[i] : largest;
		missed += counts[i] == 0;
	}
	/* H(1000) = 7.4855: the first item has 13.36 % of the draws. */
	assert_in_range(largest, DRAWS / 1000 * 131, DRAWS / 1000 * 136);
	assert_int_equal(missed, 0);
	gen_shared_free(&shared);
}

static void bad_values_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "pattern", "guppies" },
		{ "accesses", "0" },
		{ "accesses", "many" },
		{ "footprint", "1Q" },
		{ "footprint", "-1" },
		{ "skew", "5" },
		{ "stores", "101" },
		{ "vcpus", "1025" },
		{ "accesses", "999999T" },
		{ "base", "0x1000 bytes" },
		{ "seed", "18446744073709551616" },
	};
	char range[GEN_RANGE_BYTES];
	struct gen_spec spec;
	const char *nearest;

	(void)state;
	gen_spec_init(&spec);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(
			gen_set(&spec, 0, gen_find_key(bad[i][0], &nearest), bad[i][1], range));
	assert_null(gen_find_key("footprnt", &nearest));
	assert_string_equal(nearest, "footprint");
	set(&spec, "size", "3");
	assert_int_equal(gen_check(&spec, NULL), STATUS_BAD_INPUT);
	set(&spec, "size", "8");
	assert_int_equal(gen_check(&spec, NULL), STATUS_OK);
	set(&spec, "footprint", "4");
	assert_int_equal(gen_check(&spec, NULL), STATUS_BAD_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_everywhere),	  cmocka_unit_test(totals_are_as_asked),
		cmocka_unit_test(processes_forks_unmaps), cmocka_unit_test(chase_is_one_cycle),
		cmocka_unit_test(zipf_weights),		  cmocka_unit_test(zipf_is_skewed),
		cmocka_unit_test(bad_values_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
