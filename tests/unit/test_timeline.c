/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Warm-up and intervals. The oracle knows neither: on a raw trace what happens between two points
 * is what a run of the trace cut at the second has more than one of the trace cut at the first.
 * Traces of runs must have the same misses in the same intervals, and sums and identities always
 * hold.
 */
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "results/db.h"
#include "run/point.h"
#include "tests/repro/refs.h"
#include "tests/repro/scratch.h"

static const struct refs_options with_events = {
	.seed = 5,
	.n = 12000,
	.vcpus = 2,
	.vms = 2,
	.asids = 2,
	.pages = 90,
	.same_page_percent = 60,
	.straddle_permille = 15,
	.store_percent = 30,
	.switch_permille = 3,
	.tlbi_permille = 2,
	.unmap_permille = 2,
};

struct result {
	struct stats stats;
	struct interval_table intervals;
};

static enum exit_status try_run(const struct config *config, const struct trace_reader *trace,
				struct result *result, struct diag *diag)
{
	*diag = (struct diag)DIAG_INIT;
	return point_run_intervals(config, trace, NULL, &result->stats, &result->intervals, diag);
}

static struct result run(const char *settings, const char *more, const struct trace_reader *trace)
{
	const struct config config = rig_config2(settings, more);
	struct result result;
	struct diag diag;

	if (try_run(&config, trace, &result, &diag) != STATUS_OK)
		fail_msg("%s %s: %s", settings, more, diag.text);
	return result;
}

/* What belongs to the statistics at all, less `before`: percentiles and states are as they are. */
static struct stats less(const struct stats *all, const struct stats *before)
{
	struct stats difference = *all;

	for (unsigned i = 0; i < STAT_COUNT; i++)
		difference.v[i] -= before->v[i];
	return difference;
}

static bool is_state(const char *name)
{
	return strstr(name, "_mapped") || strstr(name, "table_pages") || strstr(name, "_p50") ||
	       strstr(name, "_p90") || strstr(name, "_p99") || strstr(name, "_max") ||
	       strcmp(name, "s2_fake_bytes") == 0;
}

static void assert_flows(const struct stats *got, const struct stats *expected, const char *what)
{
	for (unsigned i = 0; i < STAT_COUNT; i++)
		if (!is_state(stat_rows[i].name) && got->v[i] != expected->v[i])
			fail_msg("%s: %s is %llu, not %llu", what, stat_rows[i].name,
				 (unsigned long long)got->v[i], (unsigned long long)expected->v[i]);
}

/* References (and events between them) up to the one that begins instruction number `n` + 1. */
static size_t cut_after(const struct refs *refs, uint64_t n)
{
	uint64_t begun = 0;
	size_t i = 0;

	for (; i < refs->n; i++) {
		begun += refs->item[i].is_event ? 0 : refs->item[i].ref.instructions;
		if (begun > n)
			break;
	}
	return i;
}

static const char *const settings[] = {
	"",
	"guest.dirty_state=hardware tlb.l1d.entries=8 tlb.l2.entries=16 tlb.l2.ways=full",
	"tlb.l2.entries=none tlb.l1d.entries=8 host.backing=2M host.thp=always",
	"walk_cache.s1.entries=none walk_cache.s2.entries=none latency.model=fixed",
	"host.vms=3 host.timeslice=700 host.age_period=900",
	"guest.policy=linux guest.memory=1G guest.thp_permille=500",
};

/* Warm-up and each interval of a raw trace against runs of its beginnings. */
static void against_beginnings(void **state)
{
	enum { WARMUP = 2500, PERIOD = 1100 };
	struct refs refs = refs_random(&with_events);
	struct trace_reader *raw = refs_open(&refs, refs.n, scratch_path("all.s2t"), TRACE_RAW);
	const uint64_t all = trace_info(raw)->totals.instructions;

	(void)state;
	for (size_t s = 0; s < sizeof(settings) / sizeof(settings[0]); s++) {
		struct result got = run(settings[s],
					"warmup.instructions=2500 interval.instructions=1100", raw);
		const struct result whole = run(settings[s], "seed=1", raw);
		struct stats before = { 0 }, part;

		assert_int_equal(got.intervals.n, (all - WARMUP + PERIOD - 1) / PERIOD);
		for (uint64_t i = 0; i <= got.intervals.n; i++) {
			const size_t n = cut_after(&refs, WARMUP + i * PERIOD);
			struct trace_reader *cut =
				refs_open(&refs, n, scratch_path("cut.s2t"), TRACE_RAW);
			const struct result end = run(settings[s], "seed=1", cut);

			part = less(&end.stats, &before);
			for (unsigned k = 0; i && k < INTERVAL_COUNTS; k++)
				assert_int_equal(got.intervals.row[i - 1].v[k],
						 part.v[interval_counts[k]]);
			if (i == 0) {
				part = less(&whole.stats, &end.stats);
				assert_flows(&got.stats, &part, settings[s]);
			}
			before = end.stats;
			trace_close(cut);
		}
		for (unsigned i = 0; i < STAT_COUNT; i++)
			if (strstr(stat_rows[i].name, "_mapped") ||
			    strstr(stat_rows[i].name, "table_pages"))
				assert_int_equal(got.stats.v[i], whole.stats.v[i]);
		interval_table_free(&got.intervals);
	}
	trace_close(raw);
	refs_free(&refs);
}

/* Misses come at the first access of a run, so they fall into the same intervals in every form. */
static void forms_agree(void **state)
{
	static const char intervals[] = "warmup.instructions=1000 interval.instructions=700";
	static const enum stat_id same[] = { STAT_l1i_tlb_misses, STAT_l1d_tlb_misses,
					     STAT_l2_tlb_misses,  STAT_walks,
					     STAT_walk_cycles,	  STAT_s2_faults };
	struct refs_options options = with_events;
	struct trace_reader *raw, *runs;
	struct result a, b;
	struct refs refs;

	(void)state;
	options.switch_permille = options.tlbi_permille = options.unmap_permille = 0;
	refs = refs_random(&options);
	raw = refs_open(&refs, refs.n, scratch_path("raw.s2t"), TRACE_RAW);
	runs = refs_open(&refs, refs.n, scratch_path("runs.s2t"), TRACE_PAGE_RUNS);
	for (size_t s = 0; s < 4; s++) {
		if (s == 1)
			continue; /* re-walks of stores come when the next record does */
		a = run(settings[s], intervals, raw);
		b = run(settings[s], intervals, runs);
		assert_int_equal(a.intervals.n, b.intervals.n);
		/* The very last record is placed where it may have begun at the earliest. */
		for (uint64_t i = 0; i + 1 < a.intervals.n; i++)
			for (unsigned k = 0; k < INTERVAL_COUNTS; k++)
				for (size_t r = 0; r < sizeof(same) / sizeof(same[0]); r++)
					if (interval_counts[k] == same[r])
						assert_int_equal(a.intervals.row[i].v[k],
								 b.intervals.row[i].v[k]);
		assert_int_equal(a.stats.v[STAT_walks], b.stats.v[STAT_walks]);
		assert_int_equal(a.stats.v[STAT_walk_cycles_p90], b.stats.v[STAT_walk_cycles_p90]);
		interval_table_free(&a.intervals);
		interval_table_free(&b.intervals);
	}
	trace_close(raw);
	trace_close(runs);
	refs_free(&refs);
}

/* Sums and identities, in every form, with what the host does on its own. */
static void sums(void **state)
{
	static const char *const host[] = {
		"seed=1",
		"host.log_start=3000 host.log_sync=900 host.log_stop=7000 host.backing=2M",
		("host.log_start=5000 host.log_stop=9000 host.age_period=700 "
		 "guest.dirty_state=hardware"),
		"host.vms=3 host.timeslice=500 host.vmid_bits=2",
	};
	static const char *const lengths[] = { "warmup.instructions=3333",
					       "interval.instructions=977",
					       "warmup.instructions=3333 interval.instructions=1" };
	static const enum trace_granularity form[] = { TRACE_RAW, TRACE_LINE_RUNS,
						       TRACE_PAGE_RUNS };
	struct refs refs = refs_random(&with_events);
	struct diag diag = DIAG_INIT;

	(void)state;
	for (size_t f = 0; f < 3; f++) {
		struct trace_reader *trace =
			refs_open(&refs, refs.n, scratch_path("form.s2t"), form[f]);

		for (size_t h = 0; h < 4; h++) {
			const struct result whole = run(host[h], "seed=1", trace);

			for (size_t l = 0; l < 3; l++) {
				struct result got = run(host[h], lengths[l], trace);
				const uint64_t *v = got.stats.v;

				if (db_check_stats(&got.stats, &diag) != STATUS_OK)
					fail_msg("%s %s: %s", host[h], lengths[l], diag.text);
				assert_int_equal(v[STAT_walk_retries],
						 v[STAT_s1_faults] + v[STAT_s2_walk_faults]);
				if (h == 1 || h == 2)
					assert_int_equal(v[STAT_before_lookups] +
								 v[STAT_during_lookups] +
								 v[STAT_after_lookups],
							 v[STAT_accesses] + v[STAT_page_splits]);
				for (unsigned k = 0; l && k < INTERVAL_COUNTS; k++) {
					uint64_t sum = 0;

					for (uint64_t i = 0; i < got.intervals.n; i++)
						sum += got.intervals.row[i].v[k];
					assert_int_equal(sum, v[interval_counts[k]]);
				}
				if (l == 1)
					assert_memory_equal(&got.stats, &whole.stats,
							    sizeof(whole.stats));
				interval_table_free(&got.intervals);
			}
		}
		trace_close(trace);
	}
	refs_free(&refs);
}

/* A program that fills its tables and then goes on in them has no faults after a warm-up. */
static void warm_tables(void **state)
{
	struct refs_options options = with_events;
	struct trace_reader *trace;
	struct result got;
	struct refs refs;

	(void)state;
	options.switch_permille = options.tlbi_permille = options.unmap_permille = 0;
	options.pages = 30;
	options.straddle_permille = 0;
	options.asids = options.vms = options.vcpus = 1;
	refs = refs_random(&options);
	trace = refs_open(&refs, refs.n, scratch_path("warm.s2t"), TRACE_PAGE_RUNS);
	got = run("tlb.l2.entries=1280", "warmup.instructions=6000", trace);
	assert_int_equal(got.stats.v[STAT_s1_faults], 0);
	assert_int_equal(got.stats.v[STAT_walks], 0);
	assert_int_equal(got.stats.v[STAT_walk_cycles_max], 0);
	assert_true(got.stats.v[STAT_s1_mapped_4k] >= 60);
	trace_close(trace);
	refs_free(&refs);
}

/* A run of 4,500 fetches, an event, and 300 fetches of another page, in intervals of 1,000. */
static void runs_count_where_they_begin(void **state)
{
	enum { FIRST = 4500, SECOND = 300, N = FIRST + 1 + SECOND };
	struct refs refs = { calloc(N, sizeof(*refs.item)), N };
	struct trace_reader *trace;
	struct result got;

	(void)state;
	assert_non_null(refs.item);
	for (size_t i = 0; i < N; i++)
		refs.item[i].ref = (struct trace_ref){
			.va = i < FIRST ? 0x400000 : 0x500000,
			.ipa = TRACE_IPA_UNKNOWN,
			.instructions = 1,
			.kind = ACCESS_FETCH,
			.size = 4,
			.asid = 1,
		};
	refs.item[FIRST] = (struct refs_item){
		.is_event = true,
		.event = { .type = EVENT_TLBI, .asid = 1, .args = { 0x438 } },
	};
	trace = refs_open(&refs, N, scratch_path("long.s2t"), TRACE_PAGE_RUNS);
	assert_int_equal(trace_info(trace)->totals.records, 2);
	got = run("", "interval.instructions=1000", trace);
	assert_int_equal(got.intervals.n, 5);
	for (uint64_t i = 0; i < 5; i++) {
		const uint64_t *v = got.intervals.row[i].v;

		assert_int_equal(v[0], i == 4 ? 800 : 1000);
		assert_int_equal(v[1], i == 0 ? FIRST : i == 4 ? SECOND : 0);
		assert_int_equal(v[2], i == 0 || i == 4);
	}
	interval_table_free(&got.intervals);
	trace_close(trace);
	refs_free(&refs);
}

static void refusals(void **state)
{
	static const struct {
		const char *set, *says;
	} cases[] = {
		{ "warmup.instructions=1000000", "nothing is left of a trace of" },
		{ "interval.instructions=1", "at most 65536 are kept" },
	};
	struct refs_options options = with_events;
	struct trace_reader *trace, *data;
	struct result result;
	struct config config;
	struct diag diag;
	struct refs refs;

	(void)state;
	options.n = 120000;
	refs = refs_random(&options);
	trace = refs_open(&refs, refs.n, scratch_path("refused.s2t"), TRACE_PAGE_RUNS);
	for (size_t i = 0; i < 2; i++) {
		config = rig_config(cases[i].set);
		assert_int_equal(try_run(&config, trace, &result, &diag), STATUS_BAD_INPUT);
		assert_true(diag.impossible);
		assert_non_null(strstr(diag.text, cases[i].says));
		assert_null(result.intervals.row);
	}
	for (size_t i = 0; i < refs.n; i++)
		refs.item[i].ref.instructions = 0;
	data = refs_open(&refs, 1000, scratch_path("data.s2t"), TRACE_RAW);
	config = rig_config("interval.instructions=100");
	assert_int_equal(try_run(&config, data, &result, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "counts no instructions"));
	trace_close(data);
	trace_close(trace);
	refs_free(&refs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_beginnings),
		cmocka_unit_test(forms_agree),
		cmocka_unit_test(sums),
		cmocka_unit_test(warm_tables),
		cmocka_unit_test(runs_count_where_they_begin),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
