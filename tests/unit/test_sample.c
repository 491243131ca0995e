/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Samples. The oracles know of none: what happens in a sample is what a run of the trace cut at its
 * end has more than one of the trace cut at its start; and what is skipped is the same as if those
 * references had never been in the trace. Estimates against figures worked out by hand, quantiles
 * against the tables of the t distribution.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "results/db.h"
#include "run/point.h"
#include "run/sample.h"
#include "run/sample_estimate.h"
#include "tests/repro/refs.h"
#include "tests/repro/scratch.h"

static const struct refs_options with_events = {
	.seed = 11,
	.n = 12000,
	.vcpus = 2,
	.vms = 2,
	.asids = 2,
	.pages = 90,
	.same_page_percent = 60,
	.store_percent = 30,
	.switch_permille = 3,
	.tlbi_permille = 2,
	.unmap_permille = 2,
};

struct result {
	struct stats stats;
	struct interval_table samples;
};

static struct result run(const char *settings, const char *more, const struct trace_reader *trace)
{
	const struct config config = rig_config2(settings, more);
	struct diag diag = DIAG_INIT;
	struct result result;

	if (point_run_intervals(&config, trace, NULL, &result.stats, &result.samples, &diag) !=
	    STATUS_OK)
		fail_msg("%s %s: %s", settings, more, diag.text);
	return result;
}

static struct stats run_refs(const char *settings, const struct refs *refs, size_t n)
{
	struct trace_reader *trace = refs_open(refs, n, scratch_path("cut.s2t"), TRACE_RAW);
	const struct result result = run(settings, "seed=1", trace);

	trace_close(trace);
	return result.stats;
}

/* Items before the reference of this number; events in front of it are among them. */
static size_t item_of(const struct refs *refs, uint64_t ordinal)
{
	size_t i = 0;

	for (; i < refs->n; i++)
		if (!refs->item[i].is_event && ordinal-- == 0)
			break;
	return i;
}

static const char *const settings[] = {
	"",
	"tlb.l2.entries=none tlb.l1d.entries=8 host.backing=2M host.thp=always",
	"walk_cache.s1.entries=none walk_cache.s2.entries=none latency.model=fixed",
	"guest.policy=linux guest.memory=1G guest.thp_permille=500 core.dic=0",
};

enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };

/* What must be the same in a sample; the number of fetches, for one, is that of its block. */
static bool is_counted(unsigned k)
{
	const enum stat_id stat = interval_counts[k];

	return stat != STAT_instructions && stat != STAT_translation_cycles;
}

/* Each sample of `got` is the difference of runs of `refs` cut at item_of(begin) and of (end). */
static void compare_samples(const char *set, const struct result *got, const struct refs *refs,
			    const struct sample_grid *grid, const size_t *item)
{
	static const enum stat_id sums[] = { STAT_walks,     STAT_walk_retries,
					     STAT_s2_faults, STAT_reads_s2_l3_l1d,
					     STAT_tlbis,     STAT_fault_cycles };
	struct stats all = { 0 };

	for (uint64_t i = 0; i < got->samples.n; i++) {
		const struct sample_span span = sample_grid_span(grid, i);
		const uint64_t begin = span.begin < grid->all ? span.begin : grid->all;
		const uint64_t end = span.end < grid->all ? span.end : grid->all;
		const struct stats a = run_refs(set, refs, item[begin]);
		const struct stats b = run_refs(set, refs, item[end]);

		assert_int_equal(got->samples.row[i].v[sample_count_of(STAT_accesses)],
				 end - begin);
		for (unsigned k = 0; k < INTERVAL_COUNTS; k++) {
			const enum stat_id stat = interval_counts[k];
			/* What making the machine costs is in the first. */
			const uint64_t before = begin ? a.v[stat] : 0;

			if (is_counted(k) && stat != STAT_accesses &&
			    got->samples.row[i].v[k] != b.v[stat] - before)
				fail_msg("%s: sample %llu: %s is %llu, not %llu", set,
					 (unsigned long long)i, stat_rows[stat].name,
					 (unsigned long long)got->samples.row[i].v[k],
					 (unsigned long long)(b.v[stat] - before));
		}
		for (unsigned k = 0; k < STAT_COUNT; k++)
			all.v[k] += b.v[k] - (begin ? a.v[k] : 0);
	}
	for (size_t k = 0; k < sizeof(sums) / sizeof(sums[0]); k++)
		assert_int_equal(got->stats.v[sums[k]], all.v[sums[k]]);
}

static struct sample_grid grid_of(const char *set, const char *more,
				  const struct trace_reader *trace)
{
	const struct config config = rig_config2(set, more);

	return sample_grid_of(&config, trace_info(trace));
}

static void against_beginnings(void **state)
{
	static const char *const samples[] = { "sample.period=3100 sample.length=700",
					       "sample.period=5000 sample.length=1 "
					       "sample.offset=5000" };
	struct refs refs = refs_random(&with_events);
	struct trace_reader *raw = refs_open(&refs, refs.n, scratch_path("all.s2t"), TRACE_RAW);
	const uint64_t all = trace_accesses(&trace_info(raw)->totals);
	size_t *item = calloc(all + 1, sizeof(*item));

	(void)state;
	assert_non_null(item);
	for (uint64_t i = 0; i <= all; i++)
		item[i] = item_of(&refs, i);
	for (size_t s = 0; s < SETTINGS; s++) {
		const char *const more = samples[s % 2];
		const struct sample_grid grid = grid_of(settings[s], more, raw);
		struct result got = run(settings[s], more, raw);

		assert_int_equal(grid.all, all);
		compare_samples(settings[s], &got, &refs, &grid, item);
		interval_table_free(&got.samples);
	}
	free(item);
	trace_close(raw);
	refs_free(&refs);
}

/* Pages that skipped references have touched, as a list. */
struct touched {
	struct trace_ref *ref;
	size_t n;
};

static bool touches_new(struct touched *touched, const struct trace_ref *ref)
{
	for (size_t i = 0; i < touched->n; i++) {
		const struct trace_ref *old = &touched->ref[i];

		if (old->vm == ref->vm && old->asid == ref->asid &&
		    old->va >> 12 == ref->va >> 12 &&
		    (old->kind == ACCESS_FETCH) == (ref->kind == ACCESS_FETCH))
			return false;
	}
	touched->ref[touched->n++] = *ref;
	return true;
}

/* The trace that a sampler makes of this one; item[ordinal]: where the ordinal went. */
static struct refs without_skipped(const struct refs *refs, const struct sample_grid *grid,
				   uint64_t warm, size_t *item)
{
	struct refs kept = { calloc(refs->n, sizeof(*kept.item)), 0 };
	struct touched touched = { calloc(refs->n, sizeof(*touched.ref)), 0 };
	uint64_t ordinal = 0, sample = 0;

	assert_non_null(kept.item);
	assert_non_null(touched.ref);
	for (size_t i = 0; i < refs->n; i++) {
		const struct refs_item *next = &refs->item[i];
		bool skip = false;

		if (next->is_event && next->event.type == EVENT_UNMAP)
			touched.n = 0;
		if (!next->is_event) {
			while (sample_grid_span(grid, sample).end <= ordinal)
				sample++;
			item[ordinal] = kept.n;
			skip = ordinal + warm < sample_grid_span(grid, sample).begin;
			ordinal++;
		}
		if (!skip || touches_new(&touched, &next->ref))
			kept.item[kept.n++] = *next;
	}
	item[ordinal] = kept.n;
	free(touched.ref);
	return kept;
}

static void against_the_rest(const struct refs_options *options, const char *more, uint64_t warm,
			     size_t n_settings)
{
	struct refs refs = refs_random(options);
	struct trace_reader *raw = refs_open(&refs, refs.n, scratch_path("all.s2t"), TRACE_RAW);
	const uint64_t all = trace_accesses(&trace_info(raw)->totals);
	size_t *item = calloc(all + 1, sizeof(*item));

	assert_non_null(item);
	for (size_t s = 0; s < n_settings; s++) {
		const struct sample_grid grid = grid_of(settings[s], more, raw);
		struct refs kept = without_skipped(&refs, &grid, warm, item);
		struct result got = run(settings[s], more, raw);
		const struct result whole = run(settings[s], "seed=1", raw);

		assert_true(kept.n < refs.n);
		compare_samples(settings[s], &got, &kept, &grid, item);
		/* All that is mapped is mapped at the same place. */
		for (unsigned i = STAT_table_pages_s1; i < STAT_COUNT; i++)
			if (stat_rows[i].at_end)
				assert_int_equal(got.stats.v[i], whole.stats.v[i]);
		interval_table_free(&got.samples);
		free(kept.item);
	}
	free(item);
	trace_close(raw);
	refs_free(&refs);
}

static void skipped(void **state)
{
	struct refs_options long_one = with_events;

	(void)state;
	against_the_rest(&with_events, "sample.period=3100 sample.length=200 sample.warm=400", 400,
			 SETTINGS);
	/* Blocks that are skipped as a whole. */
	long_one.n = 300000;
	long_one.switch_permille = long_one.tlbi_permille = long_one.unmap_permille = 0;
	against_the_rest(&long_one, "sample.period=150000 sample.length=500 sample.warm=300", 300,
			 1);
}

/* With all of the trace in samples the result is that of a full run, in every form. */
static void all_of_it(void **state)
{
	static const enum trace_granularity form[] = { TRACE_RAW, TRACE_LINE_RUNS,
						       TRACE_PAGE_RUNS };
	static const char *const more[] = {
		"sample.period=977 sample.length=977",
		"sample.period=5000 sample.length=5000 sample.offset=5000 sample.warm=10",
		"sample.period=100000 sample.length=100000",
	};
	struct refs_options options = with_events;
	struct diag diag = DIAG_INIT;
	struct refs refs;

	(void)state;
	options.straddle_permille = 15;
	refs = refs_random(&options);
	for (size_t f = 0; f < 3; f++) {
		struct trace_reader *trace =
			refs_open(&refs, refs.n, scratch_path("form.s2t"), form[f]);

		for (size_t s = 0; s < SETTINGS; s++) {
			struct result got = run(settings[s], more[(s + f) % 3], trace);
			const struct result whole = run(settings[s], "seed=1", trace);

			assert_memory_equal(&got.stats, &whole.stats, sizeof(whole.stats));
			for (unsigned k = 0; k < INTERVAL_COUNTS; k++) {
				const struct sample_estimate e =
					sample_estimate(got.samples.row, got.samples.n, k,
							whole.stats.v[STAT_accesses]);

				assert_true(e.known);
				assert_int_equal(e.total, whole.stats.v[interval_counts[k]]);
				assert_int_equal(e.low, e.total);
				assert_int_equal(e.high, e.total);
			}
			interval_table_free(&got.samples);
			got = run(settings[s], "sample.period=900 sample.length=90", trace);
			if (db_check_stats(&got.stats, &diag) != STATUS_OK)
				fail_msg("%s: %s", settings[s], diag.text);
			assert_int_equal(got.stats.v[STAT_walk_retries],
					 got.stats.v[STAT_s1_faults] +
						 got.stats.v[STAT_s2_walk_faults]);
			interval_table_free(&got.samples);
		}
		trace_close(trace);
	}
	refs_free(&refs);
}

/* One sample in each period, whole, and each place of a period as often as any other. */
static void places(void **state)
{
	struct sample_grid grid = { .period = 1000, .length = 300, .all = 10000, .drawn = true };
	unsigned at[4] = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 4000; i++) {
		const struct sample_span span = sample_grid_span(&grid, i);
		const uint64_t place = (span.begin - i * 1000) / 300;

		assert_true(span.begin >= i * 1000 && span.end <= (i + 1) * 1000);
		assert_int_equal((span.begin - i * 1000) % 300, 0);
		assert_int_equal(span.end - span.begin, place == 3 ? 100 : 300);
		at[place]++;
	}
	/* 1000 expected, standard deviation 27. */
	for (size_t i = 0; i < 4; i++)
		assert_in_range(at[i], 880, 1120);
	assert_int_equal(sample_grid_rows(&grid), 10);
	grid.all = 10001;
	assert_int_equal(sample_grid_rows(&grid), 11);
}

/* NIST/SEMATECH e-Handbook, 1.3.6.7.2, column 0.975, to three digits. */
static void quantiles(void **state)
{
	static const struct {
		uint64_t freedom;
		double t;
	} table[] = {
		{ 1, 12.706 }, { 2, 4.303 },  { 5, 2.571 },  { 10, 2.228 },  { 11, 2.201 },
		{ 12, 2.179 }, { 15, 2.131 }, { 20, 2.086 }, { 30, 2.042 },  { 40, 2.021 },
		{ 60, 2.000 }, { 80, 1.990 }, { 99, 1.984 }, { 100, 1.984 }, { 1000000000, 1.960 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_true(fabs(sample_student(table[i].freedom) - table[i].t) < 0.00051);
}

/*
 * Twelve samples of ten accesses: 120 accesses, 120 misses, the residuals' squares add up to 28.
 * With half of the trace in samples: t(11) * sqrt(0.5 * 28 * 12 / 11) / 120 = 0.07168.
 */
static void worked_by_hand(void **state)
{
	static const uint64_t misses[] = { 8, 12, 9, 11, 10, 10, 13, 7, 10, 10, 10, 10 };
	const unsigned x = sample_count_of(STAT_accesses), y = sample_count_of(STAT_walks);
	struct interval sample[12] = { 0 };
	struct sample_estimate estimate;
	struct sample_ratio ratio;

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		sample[i].v[x] = 10;
		sample[i].v[y] = misses[i];
	}
	ratio = sample_ratio(sample, 12, y, x, 0.5);
	assert_true(ratio.known);
	assert_true(fabs(ratio.value - 1) < 1e-12);
	assert_true(fabs(ratio.half_width - 0.07168) < 1e-5);
	/* 240 +- 17.2; whole numbers outwards. */
	estimate = sample_estimate(sample, 12, y, 240);
	assert_true(estimate.known);
	assert_int_equal(estimate.total, 240);
	assert_int_equal(estimate.low, 222);
	assert_int_equal(estimate.high, 258);
	/* Nearly all in samples: what was counted is the least there can be. */
	estimate = sample_estimate(sample, 12, y, 121);
	assert_int_equal(estimate.total, 121);
	assert_int_equal(estimate.low, 120);
	/* One sample carries nearly all: nothing is known of the scatter. */
	sample[3].v[y] = 1000;
	estimate = sample_estimate(sample, 12, y, 240);
	assert_false(estimate.known);
	assert_int_equal(estimate.total, 2218);
	for (size_t i = 0; i < 12; i++)
		sample[i].v[y] = 0;
	assert_false(sample_estimate(sample, 12, y, 240).known);
	assert_int_equal(sample_estimate(sample, 12, y, 240).total, 0);
}

static void refusals(void **state)
{
	static const struct {
		const char *set, *says;
	} cases[] = {
		{ "sample.length=6000", "are more than a period of 5000" },
		{ "sample.period=9000 sample.offset=8999", "reach beyond a period" },
		{ "sample.offset=5001", "is beyond the period of 5000" },
		{ "sample.offset=10000", "is beyond the period of 5000" },
		{ "sample.period=1000000", "make less than two samples of this trace" },
		{ "warmup.instructions=100", "a warm-up or intervals" },
		{ "interval.instructions=100", "a warm-up or intervals" },
		{ "host.age_period=900", "where the host acts by itself" },
		{ "host.vms=2", "where the host acts by itself" },
		{ "device.assigned=streaming guest.memory=1G", "where the host acts by itself" },
		{ "timing.backend=systemc", "takes no samples" },
		{ "guest.dirty_state=hardware sample.warm=10", "sample.warm: has to be all" },
		{ "guest.asid_bits=8 sample.warm=10", "sample.warm: has to be all" },
	};
	struct refs refs = refs_random(&with_events);
	struct trace_reader *trace =
		refs_open(&refs, refs.n, scratch_path("refused.s2t"), TRACE_PAGE_RUNS);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct config config =
			rig_config2("sample.period=5000 sample.length=100", cases[i].set);
		struct diag diag = DIAG_INIT;
		struct result result;

		assert_int_equal(point_run_intervals(&config, trace, NULL, &result.stats,
						     &result.samples, &diag),
				 STATUS_BAD_INPUT);
		assert_true(diag.impossible);
		if (!strstr(diag.text, cases[i].says))
			fail_msg("%s: %s", cases[i].set, diag.text);
		assert_null(result.samples.row);
	}
	trace_close(trace);
	refs_free(&refs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_beginnings), cmocka_unit_test(skipped),
		cmocka_unit_test(all_of_it),	      cmocka_unit_test(places),
		cmocka_unit_test(quantiles),	      cmocka_unit_test(worked_by_hand),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
