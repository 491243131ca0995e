/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's lines in the caches of the walks (cache.data: simulate): every access of both against
 * naive lists of lines, the lines against the translations, and forms of traces against each other.
 */
#include <stdlib.h>
#include <string.h>

#include "replay_rig.h"
#include "results/db.h"
#include "run/point.h"
#include "tests/repro/refs.h"
#include "tests/repro/scratch.h"

#define SMALL_CACHES                                                                               \
	"cache.data=simulate cache.l1d.size=4K cache.l1d.ways=2 cache.l2.size=16K "                \
	"cache.l2.ways=4 cache.llc.size=64K cache.llc.ways=8"

/* ---- a spy in place of the latency model ---------------------------------------------------- */

enum { LOG_MAX = 1 << 18 };

enum who { BY_WALK, BY_FETCH, BY_DATA };

struct logged {
	const void *state;
	uint64_t pa;
	enum who who;
	enum found_in found_in;
};

static struct {
	const struct latency_ops *real;
	struct logged *entry;
	size_t n;
} spied;

static struct latency_result note(const void *state, pa_t pa, enum who who,
				  struct latency_result found)
{
	assert_true(spied.n < LOG_MAX);
	spied.entry[spied.n++] = (struct logged){ state, pa.v, who, found.found_in };
	return found;
}

static struct latency_result spy_read(void *state, pa_t pa, bool cacheable)
{
	assert_true(cacheable);
	return note(state, pa, BY_WALK, spied.real->read(state, pa, cacheable));
}

static struct latency_result spy_guest(void *state, pa_t pa, enum latency_side side)
{
	return note(state, pa, side == LATENCY_FETCH ? BY_FETCH : BY_DATA,
		    spied.real->guest(state, pa, side));
}

static const struct latency_ops spy = { .name = "spy", .read = spy_read, .guest = spy_guest };

/* ---- naive caches ---------------------------------------------------------------------------- */

struct naive {
	unsigned sets, ways;
	uint64_t line[128][8]; /* youngest first; 0: free */
};

static bool naive_access(struct naive *cache, uint64_t pa)
{
	const uint64_t line = pa / 64 + 1;
	uint64_t *lines = cache->line[pa / 64 % cache->sets];
	unsigned at = 0;
	bool found;

	while (at + 1 < cache->ways && lines[at] != line)
		at++;
	found = lines[at] == line;
	memmove(lines + 1, lines, at * sizeof(*lines));
	lines[0] = line;
	return found;
}

/* All that was spied, against caches of 4K and 16K for each vCPU and one of 64K for all. */
static void against_naive(const struct mmu *mmu)
{
	struct naive *own = calloc(2 * mmu->shape.vcpus + 1, sizeof(*own));
	struct naive *llc = &own[2 * mmu->shape.vcpus];
	uint64_t seen[3][FOUND_COUNT] = { 0 };

	assert_non_null(own);
	*llc = (struct naive){ .sets = 128, .ways = 8 };
	for (uint32_t i = 0; i < mmu->shape.vcpus; i++) {
		own[2 * i] = (struct naive){ .sets = 32, .ways = 2 };
		own[2 * i + 1] = (struct naive){ .sets = 64, .ways = 4 };
	}
	for (size_t i = 0; i < spied.n; i++) {
		const struct logged *e = &spied.entry[i];
		enum found_in expected = FOUND_DRAM;
		uint32_t vcpu = 0;

		while (vcpu < mmu->shape.vcpus && mmu->vcpu[vcpu].latency_state != e->state)
			vcpu++;
		if (vcpu < mmu->shape.vcpus) {
			if (e->who != BY_FETCH && naive_access(&own[2 * vcpu], e->pa))
				expected = FOUND_L1D;
			else if (naive_access(&own[2 * vcpu + 1], e->pa))
				expected = FOUND_L2;
		} else if (naive_access(llc, e->pa)) {
			expected = FOUND_LLC;
		}
		assert_int_equal(e->found_in, expected);
		seen[e->who][expected]++;
	}
	/* The accesses were such that each of both kinds was found everywhere. */
	for (unsigned place = 0; place < FOUND_COUNT; place++)
		assert_true(seen[BY_WALK][place] && seen[BY_DATA][place]);
	assert_int_equal(seen[BY_FETCH][FOUND_L1D], 0);
	assert_true(seen[BY_FETCH][FOUND_L2] && seen[BY_FETCH][FOUND_LLC]);
	free(own);
}

/* The guest's lines, in order, are those that the records name, where tables map them now. */
static void against_records(struct rig *rig, const struct builder *b)
{
	size_t at = 0;

	for (uint32_t i = 0; i < b->block.n_records; i++) {
		const struct trace_key *key = &b->keys[b->key[i]];
		const bool fetch = key->stream == STREAM_FETCH;
		const struct tlb_leaf *leaf = rig_access(
			rig, (struct rig_access){ .vcpu = key->vcpu,
						  .asid = key->asid,
						  .va = key->va,
						  .kind = fetch ? ACCESS_FETCH : ACCESS_LOAD });

		while (at < spied.n && spied.entry[at].who == BY_WALK)
			at++;
		assert_non_null(leaf);
		assert_true(at < spied.n);
		assert_int_equal(spied.entry[at].who, fetch ? BY_FETCH : BY_DATA);
		assert_int_equal(spied.entry[at].pa,
				 leaf->pa.v | (key->va & low_mask(leaf->size_bits)));
		/* Once more where the vCPU's own caches do not have it. */
		at += spied.entry[at].found_in == FOUND_DRAM ? 2 : 1;
	}
}

/* Lines of two vCPUs: of few pages, of a hot set, and of some never seen before. */
static struct builder *random_lines(uint64_t seed)
{
	struct builder *b = builder_make();
	struct rng rng = rng_seed(seed);

	for (unsigned i = 0; i < 4000; i++) {
		struct trace_key key = data_key(0);
		const uint64_t line =
			chance(&rng, 3, 5) ? rng_below(&rng, 90) : rng_below(&rng, 900);

		key.vcpu = (uint16_t)rng_below(&rng, 2);
		key.stream = chance(&rng, 2, 3) ? STREAM_DATA : STREAM_FETCH;
		key.va = (key.stream == STREAM_DATA ? 0x7f0000000000 : 0x400000) +
			 line % 45 * 0x201000 + line / 45 * 64;
		add_record(b, key, i,
			   key.stream == STREAM_DATA && chance(&rng, 1, 4) ? i : UINT64_MAX);
	}
	return b;
}

static void every_access(void **state)
{
	static const char *const settings[] = {
		SMALL_CACHES " tlb.l1d.entries=8 tlb.l1i.entries=8 tlb.l2.entries=32 tlb.l2.ways=4",
		SMALL_CACHES " tlb.l1d.entries=8 tlb.l1d.replacement=fifo host.backing=2M",
		SMALL_CACHES
		" tlb.l1i.entries=4 guest.dirty_state=hardware walk_cache.s1.entries=4",
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct builder *b = random_lines(i + 1);
		struct session *s = session_make(settings[i], 2, 1, TRACE_LINE_RUNS);
		struct mmu *mmu = &s->rig->machine.mmu;
		struct stats stats;

		spied.real = mmu->shape.latency;
		spied.n = 0;
		spied.entry = calloc(LOG_MAX, sizeof(*spied.entry));
		assert_non_null(spied.entry);
		mmu->shape.latency = &spy;
		stats = session_run(s, b);
		mmu->shape.latency = spied.real;
		assert_int_equal(stats.v[STAT_guest_lines], b->block.n_records);
		against_naive(mmu);
		against_records(s->rig, b);
		free(spied.entry);
		session_destroy(s);
		free(b);
	}
}

/* ---- whole traces ---------------------------------------------------------------------------- */

static struct stats run(const char *more, const struct trace_reader *trace)
{
	const struct config config = rig_config2(SMALL_CACHES, more);
	struct diag diag = DIAG_INIT;
	struct stats stats;

	if (point_run(&config, trace, NULL, &stats, &diag) != STATUS_OK)
		fail_msg("%s: %s", more, diag.text);
	assert_int_equal(db_check_stats(&stats, &diag), STATUS_OK);
	return stats;
}

static const struct refs_options options = {
	.seed = 3,
	.n = 20000,
	.vcpus = 1,
	.vms = 1,
	.asids = 1,
	.pages = 90,
	.same_page_percent = 60,
	.straddle_permille = 10,
	.store_percent = 30,
};

static void keep_stream(struct refs *refs, bool fetch)
{
	size_t kept = 0;

	for (size_t i = 0; i < refs->n; i++)
		if ((refs->item[i].ref.kind == ACCESS_FETCH) == fetch)
			refs->item[kept++] = refs->item[i];
	refs->n = kept;
}

/*
 * With one stream a line run is what the first level filters: raw and line runs differ in its hits
 * alone.
 */
static void forms_agree(void **state)
{
	struct refs refs = refs_random(&options);
	struct trace_reader *raw, *lines;
	struct stats a, b;

	(void)state;
	keep_stream(&refs, false);
	raw = refs_open(&refs, refs.n, scratch_path("raw.s2t"), TRACE_RAW);
	lines = refs_open(&refs, refs.n, scratch_path("lines.s2t"), TRACE_LINE_RUNS);
	a = run("seed=1", raw);
	b = run("seed=1", lines);
	assert_int_equal(a.v[STAT_guest_lines], a.v[STAT_accesses] + a.v[STAT_page_splits]);
	assert_int_equal(b.v[STAT_guest_lines], trace_info(lines)->totals.records);
	assert_true(a.v[STAT_guest_lines] > b.v[STAT_guest_lines]);
	a.v[STAT_guest_lines_l1d] -= a.v[STAT_guest_lines] - b.v[STAT_guest_lines];
	a.v[STAT_guest_lines] = b.v[STAT_guest_lines];
	assert_same(&a, &b, "raw and line runs");
	b = run("cache.table_share_permille=1", lines);
	assert_same(&a, &b, "the share is of no account");
	trace_close(raw);
	trace_close(lines);
	refs_free(&refs);
}

/* What the caches do changes where reads are found and how long they take, and nothing else. */
static void events_are_the_same(void **state)
{
	struct refs refs = refs_random(&options);
	struct trace_reader *lines =
		refs_open(&refs, refs.n, scratch_path("lines.s2t"), TRACE_LINE_RUNS);
	const struct stats with = run("seed=1", lines);
	const struct stats without = run("cache.data=share", lines);
	static const enum stat_id same[] = {
		STAT_l1d_tlb_misses, STAT_l2_tlb_misses, STAT_walks,
		STAT_walk_reads,     STAT_s1_faults,	 STAT_s2_faults
	};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_int_equal(with.v[same[i]], without.v[same[i]]);
	assert_int_equal(without.v[STAT_guest_lines], 0);
	assert_true(with.v[STAT_walk_cycles] != without.v[STAT_walk_cycles]);
	trace_close(lines);
	refs_free(&refs);
}

static void refusals(void **state)
{
	struct refs refs = refs_random(&options);
	struct trace_reader *pages =
		refs_open(&refs, refs.n, scratch_path("pages.s2t"), TRACE_PAGE_RUNS);
	const struct config config = rig_config(SMALL_CACHES);
	const struct config fixed = rig_config2(SMALL_CACHES, "latency.model=fixed");
	const struct config timed = rig_config2(SMALL_CACHES, "timing.backend=systemc");
	struct diag diag = DIAG_INIT;
	struct stats stats;

	(void)state;
	assert_int_equal(point_run(&config, pages, NULL, &stats, &diag), STATUS_BAD_INPUT);
	assert_true(diag.impossible);
	assert_non_null(strstr(diag.text, "needs a trace of line runs or a raw one"));
	diag = (struct diag)DIAG_INIT;
	assert_int_equal(point_check(&fixed, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "fixed has no caches"));
	diag = (struct diag)DIAG_INIT;
	assert_int_equal(point_check(&timed, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "timing.backend: analytic"));
	trace_close(pages);
	refs_free(&refs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_access),
		cmocka_unit_test(forms_agree),
		cmocka_unit_test(events_are_the_same),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
