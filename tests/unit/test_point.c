/* SPDX-License-Identifier: BSD-2-Clause */
/* One point: totals and identities, the same twice, interruption, refusals, machines from config.
 */
#include <stdio.h>

#include "rig.h"
#include "run/point.h"
#include "tests/repro/refs.h"
#include "tests/repro/scratch.h"

/* A trace of a few blocks; the reader is the caller's. */
static struct trace_reader *random_trace(enum trace_granularity granularity, size_t n)
{
	const struct refs_options options = {
		.seed = 11,
		.n = n,
		.vcpus = 2,
		.vms = 2,
		.asids = 2,
		.pages = 90,
		.same_page_percent = 60,
		.straddle_permille = 15,
		.store_percent = 30,
		.switch_permille = 2,
		.tlbi_permille = 1,
		.unmap_permille = 1,
	};
	struct refs refs = refs_random(&options);
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader;

	refs_write(&refs, scratch_path("point.s2t"), granularity);
	refs_free(&refs);
	reader = trace_open(scratch_path("point.s2t"), false, &diag);
	if (!reader)
		fail_msg("%s: %s", diag.place, diag.text);
	return reader;
}

static struct stats run(const char *settings, const struct trace_reader *trace)
{
	const struct config config = rig_config(settings);
	struct diag diag = DIAG_INIT;
	struct stats stats;

	if (point_run(&config, trace, NULL, &stats, &diag) != STATUS_OK)
		fail_msg("%s: %s", settings, diag.text);
	return stats;
}

static uint64_t sum(const struct stats *s, enum stat_id first, enum stat_id last)
{
	uint64_t total = 0;

	for (unsigned id = first; id <= (unsigned)last; id++)
		total += s->v[id];
	return total;
}

static void check_identities(const struct stats *s, const struct trace_totals *t)
{
	const uint64_t *v = s->v;

	assert_int_equal(v[STAT_accesses], v[STAT_fetches] + v[STAT_loads] + v[STAT_stores]);
	assert_int_equal(v[STAT_fetches], t->fetches);
	assert_int_equal(v[STAT_loads], t->loads);
	assert_int_equal(v[STAT_stores], t->stores);
	assert_int_equal(v[STAT_instructions], t->instructions);
	assert_int_equal(v[STAT_page_splits], t->splits);
	assert_int_equal(v[STAT_l1i_tlb_hits] + v[STAT_l1i_tlb_misses], v[STAT_fetches]);
	assert_int_equal(v[STAT_l1d_tlb_hits] + v[STAT_l1d_tlb_misses],
			 v[STAT_loads] + v[STAT_stores] + v[STAT_page_splits]);
	assert_int_equal(v[STAT_l2_tlb_hits] + v[STAT_l2_tlb_misses],
			 v[STAT_l1i_tlb_misses] + v[STAT_l1d_tlb_misses]);
	assert_int_equal(v[STAT_walks] + v[STAT_mmio_exits],
			 v[STAT_l2_tlb_misses] + v[STAT_dirty_rewalks]);
	assert_int_equal(v[STAT_walk_reads], v[STAT_walk_reads_s1] + v[STAT_walk_reads_s2]);
	assert_int_equal(v[STAT_walk_reads_s1],
			 sum(s, STAT_walk_reads_s1_lm1, STAT_walk_reads_s1_l3));
	assert_int_equal(v[STAT_walk_reads_s2],
			 sum(s, STAT_walk_reads_s2_lm1, STAT_walk_reads_s2_l3));
	assert_int_equal(v[STAT_walk_reads], sum(s, STAT_walk_reads_l1d, STAT_walk_reads_dram));
	assert_int_equal(v[STAT_walk_cache_s1_hits] + v[STAT_walk_cache_s1_misses], v[STAT_walks]);
	/* Each fault ended one walk, but for those of the guest clearing its tables. */
	assert_int_equal(v[STAT_walk_retries], v[STAT_s1_faults] + v[STAT_s2_walk_faults]);
}

static const char *const settings[] = {
	"",
	"guest.dirty_state=hardware tlb.l1d.entries=8",
	"tlb.l2.entries=none tlb.l1d.entries=8 tlb.l1i.entries=8",
	"guest.pages=2M host.backing=4K tlb.l1d.replacement=plru tlb.l1d.ways=6 tlb.l1i.entries=4",
	"stage1.granule=64K stage2.granule=16K tlb.l1d.replacement=random",
	"walk_cache.s1.entries=none walk_cache.s2.entries=none tlb.l2.entries=16 tlb.l2.ways=full",
};

static void identities(void **state)
{
	struct trace_reader *trace = random_trace(TRACE_PAGE_RUNS, 20000);

	(void)state;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const struct stats a = run(settings[i], trace), b = run(settings[i], trace);

		check_identities(&a, &trace_info(trace)->totals);
		assert_memory_equal(&a, &b, sizeof(a));
	}
	trace_close(trace);
}

static void translation_cycles(void **state)
{
	struct trace_reader *trace = random_trace(TRACE_PAGE_RUNS, 5000);
	const struct stats s = run("tlb.l1i.hit_cycles=2 tlb.l1d.hit_cycles=3 tlb.l2.hit_cycles=7 "
				   "tlb.l1d.entries=8 tlb.l1i.entries=8",
				   trace);
	const struct stats no_l2 = run("tlb.l1i.hit_cycles=2 tlb.l1d.hit_cycles=3 "
				       "tlb.l2.hit_cycles=7 tlb.l2.entries=none",
				       trace);
	const struct stats *both[] = { &s, &no_l2 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const uint64_t *v = both[i]->v;
		const uint64_t l2 = i ? 0 : v[STAT_l1i_tlb_misses] + v[STAT_l1d_tlb_misses];

		assert_int_equal(
			v[STAT_translation_cycles],
			2 * v[STAT_fetches] +
				3 * (v[STAT_loads] + v[STAT_stores] + v[STAT_page_splits]) +
				7 * l2 + v[STAT_walk_cycles]);
	}
	trace_close(trace);
}

/* Only the seed's draws differ between two seeds, and they do. */
static void seeds(void **state)
{
	static const char random_l1[] = "tlb.l1d.replacement=random tlb.l1d.entries=16 ";
	struct trace_reader *trace = random_trace(TRACE_PAGE_RUNS, 20000);
	struct config a = rig_config2(random_l1, "seed=1"), b = rig_config2(random_l1, "seed=2");
	struct diag diag = DIAG_INIT;
	struct stats first, second;

	(void)state;
	assert_int_equal(point_run(&a, trace, NULL, &first, &diag), STATUS_OK);
	assert_int_equal(point_run(&b, trace, NULL, &second, &diag), STATUS_OK);
	assert_int_not_equal(first.v[STAT_l1d_tlb_misses], second.v[STAT_l1d_tlb_misses]);
	assert_int_equal(first.v[STAT_l1i_tlb_misses], second.v[STAT_l1i_tlb_misses]);
	trace_close(trace);
}

/*
 * Dirty logging takes a block away under the guest's tables too: their faults are KVM's as all
 * others are, nothing is taken for a device, and the guest itself notices nothing.
 */
static void logging(void **state)
{
	struct trace_reader *trace = random_trace(TRACE_PAGE_RUNS, 20000);
	const char *const backing[] = { "host.backing=1G", "host.backing=2M",
					"host.backing=1G host.split_chunk=2M" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct config config =
			rig_config2(backing[i], "host.log_start=7000 host.log_stop=14000");
		const struct stats without = run(backing[i], trace);
		struct diag diag = DIAG_INIT;
		struct stats s;

		assert_int_equal(point_run(&config, trace, NULL, &s, &diag), STATUS_OK);
		check_identities(&s, &trace_info(trace)->totals);
		assert_int_equal(s.v[STAT_mmio_exits], 0);
		assert_int_equal(s.v[STAT_s1_faults], without.v[STAT_s1_faults]);
		assert_true(s.v[STAT_s2_splits] > 0);
		assert_true(s.v[STAT_s2_faults] > without.v[STAT_s2_faults]);
	}
	trace_close(trace);
}

/* Levels that exist for software only cost KVM's walks a step each, and hardware nothing. */
static void software_levels(void **state)
{
	struct trace_reader *trace = random_trace(TRACE_PAGE_RUNS, 5000);
	struct stats real = run("host.va_bits=48 host.walker=stage2", trace);
	const struct stats fake = run("host.va_bits=48 host.walker=fake-pgd", trace);

	(void)state;
	assert_int_equal(real.v[STAT_s2_fake_bytes], 0);
	/* Per VM, two concatenated root tables below one level: an entry for each. */
	assert_int_equal(fake.v[STAT_s2_fake_bytes], 2 * 2 * 8);
	assert_true(fake.v[STAT_s2_software_steps] > real.v[STAT_s2_software_steps]);
	real.v[STAT_s2_software_steps] = fake.v[STAT_s2_software_steps];
	real.v[STAT_s2_fake_bytes] = fake.v[STAT_s2_fake_bytes];
	assert_memory_equal(&real, &fake, sizeof(real));
	trace_close(trace);
}

/* ---- costs of software ---------------------------------------------------------------------- */

static const struct {
	const char *key;
	enum stat_id row;
} costs[] = {
	{ "cost.guest_fault", STAT_guest_fault_cycles },
	{ "cost.exit", STAT_exit_cycles },
	{ "cost.fault", STAT_fault_cycles },
	{ "cost.zero_4k", STAT_zero_cycles },
	{ "cost.table_page", STAT_table_cycles },
	{ "cost.pte_update", STAT_split_cycles },
	{ "cost.tlbi", STAT_tlbi_cycles },
	{ "cost.dvm", STAT_tlbi_cycles },
	{ "cost.vm_switch", STAT_switch_cycles },
	{ "cost.context_switch", STAT_switch_cycles },
	{ "cost.mmio", STAT_mmio_cycles },
};

enum { COSTS = sizeof(costs) / sizeof(costs[0]) };

static bool is_software(unsigned id)
{
	return (id >= STAT_software_cycles && id <= STAT_mmio_cycles) ||
	       id == STAT_before_software_cycles || id == STAT_during_software_cycles ||
	       id == STAT_after_software_cycles;
}

/* The host logs, and all costs are 0 but for one. */
static struct stats run_cost(const struct trace_reader *trace, const char *key, unsigned cycles)
{
	char text[500] = "host.backing=2M host.log_start=1500 host.log_stop=3500 "
			 "host.log_sync=500";

	for (size_t i = 0; i < COSTS; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s=%u", costs[i].key,
			 strcmp(costs[i].key, key) == 0 ? cycles : 0);
	return run(text, trace);
}

/* Each cost is in its row and the sums, in proportion, and in nothing that hardware does. */
static void costs_apart(void **state)
{
	struct trace_reader *trace = random_trace(TRACE_PAGE_RUNS, 5000);
	const struct stats free_of_charge = run_cost(trace, "", 0);

	(void)state;
	for (unsigned id = 0; id < STAT_COUNT; id++)
		assert_true(!is_software(id) || free_of_charge.v[id] == 0);
	for (size_t i = 0; i < COSTS; i++) {
		const struct stats one = run_cost(trace, costs[i].key, 7);
		const struct stats two = run_cost(trace, costs[i].key, 14);

		assert_int_equal(one.v[costs[i].row], one.v[STAT_software_cycles]);
		/* No device is emulated here. */
		if (one.v[costs[i].row] == 0 && costs[i].row != STAT_mmio_cycles)
			fail_msg("%s changes nothing", costs[i].key);
		for (unsigned id = 0; id < STAT_COUNT; id++)
			assert_int_equal(two.v[id],
					 is_software(id) ? 2 * one.v[id] : free_of_charge.v[id]);
	}
	trace_close(trace);
}

/* ---- progress ------------------------------------------------------------------------------- */

struct steps {
	unsigned calls, stop_at;
	uint64_t done, all;
};

static int step(void *ctx, uint64_t done, uint64_t all)
{
	struct steps *steps = ctx;

	assert_true(done > steps->done && done <= all);
	steps->done = done;
	steps->all = all;
	return ++steps->calls == steps->stop_at;
}

static void interruption(void **state)
{
	struct trace_reader *trace = random_trace(TRACE_RAW, 150000);
	const uint64_t accesses = trace_accesses(&trace_info(trace)->totals);
	const unsigned blocks = (unsigned)trace_info(trace)->blocks;
	const struct config config = rig_config("");
	struct stats alone = run("", trace), stats;

	(void)state;
	assert_true(blocks >= 3);
	for (unsigned stop_at = 0; stop_at <= 2; stop_at++) {
		struct steps steps = { .stop_at = stop_at };
		const struct point_progress progress = { .step = step, .ctx = &steps };
		struct diag diag = DIAG_INIT;
		const enum exit_status status = point_run(&config, trace, &progress, &stats, &diag);

		assert_int_equal(status, stop_at ? STATUS_INTERRUPTED : STATUS_OK);
		assert_int_equal(diag.status, status);
		assert_int_equal(steps.calls, stop_at ? stop_at : blocks);
		assert_int_equal(steps.all, accesses);
		if (!stop_at) {
			assert_int_equal(steps.done, accesses);
			assert_memory_equal(&stats, &alone, sizeof(stats));
		}
	}
	trace_close(trace);
}

/* ---- refusals ------------------------------------------------------------------------------- */

static void refused(const char *text, const char *expected)
{
	const struct config config = rig_config(text);
	struct diag diag = DIAG_INIT;

	assert_int_equal(point_check(&config, &diag), STATUS_BAD_INPUT);
	if (!strstr(diag.text, expected))
		fail_msg("%s: \"%s\" does not hold \"%s\"", text, diag.text, expected);
}

static void impossible_configurations(void **state)
{
	struct diag diag = DIAG_INIT;
	const struct config fine = rig_config("");

	(void)state;
	assert_int_equal(point_check(&fine, &diag), STATUS_OK);
	refused("tlb.l1d.entries=10 tlb.l1d.ways=4", "tlb.l1d.entries");
	refused("tlb.l2.entries=10 tlb.l2.ways=4", "tlb.l2.entries");
	refused("tlb.l1i.page_sizes=[64K,2M]", "tlb.l1i.page_sizes");
	refused("tlb.l1d.page_sizes=[2M]", "tlb.l1d.page_sizes");
	refused("walk_cache.s1.entries=10 walk_cache.s1.ways=4", "walk_cache.s1.entries");
	refused("walk_cache.s2.entries=10 walk_cache.s2.ways=4", "walk_cache.s2.entries");
	refused("tlb.inclusion=inclusive tlb.l2.entries=none", "tlb.inclusion");
	refused("tlb.inclusion=exclusive tlb.l2.coalesce=2", "tlb.inclusion");
	refused("tlb.l1d.coalesce=3", "tlb.l1d.coalesce");
	refused("walk_cache.s2.place=l2_tlb tlb.l2.entries=none", "walk_cache.s2.place");
	refused("walk_cache.s2.place=s1 walk_cache.s1.entries=none", "walk_cache.s2.place");
	refused("cache.llc.size=512 cache.llc.ways=16", "cache.llc.size");
	refused("stage2.ipa_bits=48 stage2.start_level=2", "stage 2");
	refused("host.walker=fake-pgd", "host.va_bits");
	refused("host.era=2014 stage2.ipa_bits=44", "T0SZ");
}

static void failures(void **state)
{
	struct trace_reader *trace = random_trace(TRACE_PAGE_RUNS, 5000);
	struct config config = rig_config("tlb.l1d.replacement=srrip");
	struct diag diag = DIAG_INIT;
	struct stats stats;

	(void)state;
	assert_int_equal(point_run(&config, trace, NULL, &stats, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "srrip"));
	config = rig_config("guest.memory=4M");
	diag = (struct diag)DIAG_INIT;
	assert_int_equal(point_run(&config, trace, NULL, &stats, &diag), STATUS_OK);
	config = rig_config("guest.memory=2112K");
	assert_int_equal(point_run(&config, trace, NULL, &stats, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "guest.memory"));
	config = rig_config("stage1.va_bits=39");
	diag = (struct diag)DIAG_INIT;
	assert_int_equal(point_run(&config, trace, NULL, &stats, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "stage1.va_bits"));
	assert_true(diag.impossible);
	/* The host has no 1G page, not even for the guest's first table. */
	config = rig_config("host.memory=512M host.backing=1G");
	diag = (struct diag)DIAG_INIT;
	assert_int_equal(point_run(&config, trace, NULL, &stats, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "host memory exhausted"));
	assert_true(diag.impossible);
	trace_close(trace);
}

/* A raw trace runs under every policy. */
static void policies_on_raw(void **state)
{
	struct trace_reader *trace = random_trace(TRACE_RAW, 5000);

	(void)state;
	for (size_t i = 0; repl_registry[i]; i++) {
		char text[128];
		struct stats s;

		snprintf(text, sizeof(text), "tlb.l1d.replacement=%s tlb.l1d.entries=8",
			 repl_registry[i]->name);
		s = run(text, trace);
		check_identities(&s, &trace_info(trace)->totals);
	}
	trace_close(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identities),
		cmocka_unit_test(logging),
		cmocka_unit_test(costs_apart),
		cmocka_unit_test(software_levels),
		cmocka_unit_test(translation_cycles),
		cmocka_unit_test(seeds),
		cmocka_unit_test(interruption),
		cmocka_unit_test(failures),
		cmocka_unit_test(impossible_configurations),
		cmocka_unit_test(policies_on_raw),
	};

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
