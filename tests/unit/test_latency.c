/* SPDX-License-Identifier: BSD-2-Clause */
/* Latency models: caches against naive lists of lines, youngest first; the fixed one. */
#include "unit.h"

#include "mem/latency.h"

enum { MAX_SETS = 256, MAX_WAYS = 16 };

struct naive_level {
	unsigned sets, ways; /* sets = 0: no such level */
	uint32_t hit_cycles;
	unsigned used[MAX_SETS];
	uint64_t line[MAX_SETS][MAX_WAYS];
};

/* Was the line there? It is the youngest of its set afterwards. */
static bool naive_access(struct naive_level *level, uint64_t line)
{
	const unsigned set = (unsigned)(line % level->sets);
	uint64_t *lines = level->line[set];
	unsigned at = 0;
	bool found;

	while (at < level->used[set] && lines[at] != line)
		at++;
	found = at < level->used[set];
	if (!found && at == level->ways)
		at--;
	else if (!found)
		level->used[set]++;
	memmove(lines + 1, lines, at * sizeof(*lines));
	lines[0] = line;
	return found;
}

static struct latency_result naive_read(struct naive_level level[3], uint32_t dram_cycles,
					uint64_t pa, bool cacheable)
{
	for (unsigned i = 0; cacheable && i < 3; i++)
		if (level[i].sets && naive_access(&level[i], pa / 64))
			return (struct latency_result){ level[i].hit_cycles, (enum found_in)i };
	return (struct latency_result){ dram_cycles, FOUND_DRAM };
}

static void *make(const struct latency_ops *ops, const struct latency_config *config)
{
	void *state = malloc(ops->state_bytes(config));

	assert_non_null(state);
	ops->init(state, config);
	return state;
}

/* `sets` and `table_ways` say what each level of the configuration must come to. */
static void against_lists(const struct latency_config *config, const unsigned sets[3],
			  const unsigned table_ways[3])
{
	const struct latency_ops *ops = latency_find("caches");
	struct naive_level *naive = calloc(3, sizeof(*naive));
	struct rng rng = rng_seed(sets[0] + 2 * sets[1] + 3 * sets[2]);
	uint64_t found[FOUND_COUNT] = { 0 };
	void *state;

	assert_non_null(ops);
	assert_non_null(naive);
	state = make(ops, config);
	for (unsigned i = 0; i < 3; i++) {
		naive[i].sets = sets[i];
		naive[i].ways = table_ways[i];
		naive[i].hit_cycles = config->level[i].hit_cycles;
	}
	for (unsigned step = 0; step < 60000; step++) {
		const uint64_t line = chance(&rng, 1, 2)   ? rng_below(&rng, 40)
				      : chance(&rng, 4, 5) ? rng_below(&rng, 700)
							   : rng_next(&rng) >> 18;
		const uint64_t pa = line * 64 + 8 * rng_below(&rng, 8);
		const bool cacheable = !chance(&rng, 1, 10);
		const struct latency_result got = ops->read(state, pa_of(pa), cacheable);
		const struct latency_result want =
			naive_read(naive, config->dram_cycles, pa, cacheable);

		assert_int_equal(got.found_in, want.found_in);
		assert_int_equal(got.cycles, want.cycles);
		found[got.found_in]++;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(found[i] != 0, sets[i] != 0);
	free(state);
	free(naive);
}

static struct latency_config three_levels(uint32_t share_permille)
{
	return (struct latency_config){
		.level = { { 1024, 2, 4 }, { 8192, 4, 11 }, { 65536, 16, 90 } },
		.table_share_permille = share_permille,
		.dram_cycles = 300,
	};
}

static void three_levels_of_lines(void **state)
{
	const struct latency_config config = three_levels(1000);

	(void)state;
	against_lists(&config, (unsigned[]){ 8, 32, 64 }, (unsigned[]){ 2, 4, 16 });
}

/* Of w ways floor(w * share / 1000) are for tables, one at least. */
static void share_of_ways(void **state)
{
	static const struct {
		uint32_t permille;
		unsigned ways[3];
	} rows[] = {
		{ 250, { 1, 1, 4 } },  { 1, { 1, 1, 1 } },    { 500, { 1, 2, 8 } },
		{ 999, { 1, 3, 15 } }, { 750, { 1, 3, 12 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct latency_config config = three_levels(rows[i].permille);

		against_lists(&config, (unsigned[]){ 8, 32, 64 }, rows[i].ways);
	}
}

static void missing_levels(void **state)
{
	(void)state;
	for (unsigned present = 0; present < 8; present++) {
		struct latency_config config = three_levels(1000);
		unsigned sets[3] = { 8, 32, 64 };

		for (unsigned i = 0; i < 3; i++)
			if (!(present >> i & 1))
				config.level[i].size_bytes = sets[i] = 0;
		against_lists(&config, sets, (unsigned[]){ 2, 4, 16 });
	}
}

/* Numbers of sets that are no powers of two: the line number modulo them. */
static void odd_sizes(void **state)
{
	struct latency_config config = three_levels(1000);

	(void)state;
	config.level[1].size_bytes = 24 * 64 * 4;
	config.level[2] = (struct latency_level){ 100 * 64 * 11, 11, 90 };
	against_lists(&config, (unsigned[]){ 8, 24, 100 }, (unsigned[]){ 2, 4, 11 });
}

/* Eight descriptors share a line; what is not cacheable is neither found nor remembered. */
static void lines_and_cacheability(void **state)
{
	const struct latency_config config = three_levels(1000);
	const struct latency_ops *ops = latency_find("caches");
	void *own = make(ops, &config);

	(void)state;
	assert_int_equal(ops->read(own, pa_of(0x1000), false).found_in, FOUND_DRAM);
	assert_int_equal(ops->read(own, pa_of(0x1000), true).found_in, FOUND_DRAM);
	for (uint64_t pa = 0x1000; pa < 0x1040; pa += 8)
		assert_int_equal(ops->read(own, pa_of(pa), true).found_in, FOUND_L1D);
	assert_int_equal(ops->read(own, pa_of(0x1000), false).found_in, FOUND_DRAM);
	assert_int_equal(ops->read(own, pa_of(0x1040), true).found_in, FOUND_DRAM);
	assert_int_equal(ops->read(own, pa_of(0), true).found_in, FOUND_DRAM);
	assert_int_equal(ops->read(own, pa_of(0), true).found_in, FOUND_L1D);
	free(own);
}

/* ---- the reads of a walk at once ------------------------------------------------------------ */

enum { BATCHES = 3000, BATCH_MOST = 64 };

/* Own levels and shared ones as two states of a model, against `naive` levels asked in turn. */
static void batches_against_lists(const struct latency_config *config, const unsigned sets[3],
				  const unsigned table_ways[3])
{
	const struct latency_ops *ops = latency_find("caches");
	const struct latency_config own_config = latency_private(config);
	const struct latency_config shared_config = latency_shared(config);
	struct naive_level *naive = calloc(3, sizeof(*naive));
	struct rng rng = rng_seed(sets[0] + 2 * sets[1] + 3 * sets[2]);
	void *own = latency_create(ops, &own_config), *shared = latency_create(ops, &shared_config);

	assert_non_null(naive);
	assert_non_null(own);
	assert_non_null(shared);
	for (unsigned i = 0; i < 3; i++) {
		naive[i].sets = sets[i];
		naive[i].ways = table_ways[i];
		naive[i].hit_cycles = config->level[i].hit_cycles;
	}
	for (unsigned batch = 0; batch < BATCHES; batch++) {
		const uint32_t n = (uint32_t)rng_below(&rng, chance(&rng, 1, 9) ? BATCH_MOST : 6);
		struct latency_query query[BATCH_MOST];
		struct latency_result found[BATCH_MOST];

		for (uint32_t i = 0; i < n; i++)
			query[i] = (struct latency_query){
				.pa = pa_of(
					rng_below(&rng, chance(&rng, 1, 2) ? 1 << 11 : 1 << 17)),
				.cacheable = !chance(&rng, 1, 12),
			};
		latency_read_all(ops, own, shared, query, n, found);
		for (uint32_t i = 0; i < n; i++) {
			const struct latency_result want = naive_read(
				naive, config->dram_cycles, query[i].pa.v, query[i].cacheable);

			assert_int_equal(found[i].found_in, want.found_in);
			assert_int_equal(found[i].cycles, want.cycles);
		}
	}
	free(own);
	free(shared);
	free(naive);
}

static void batches(void **state)
{
	struct latency_config config = three_levels(1000);

	(void)state;
	batches_against_lists(&config, (unsigned[]){ 8, 32, 64 }, (unsigned[]){ 2, 4, 16 });
	config.table_share_permille = 250;
	batches_against_lists(&config, (unsigned[]){ 8, 32, 64 }, (unsigned[]){ 1, 1, 4 });
	config.table_share_permille = 1000;
	config.level[0] = (struct latency_level){ 6 * 64 * 3, 3, 4 };
	config.level[2] = (struct latency_level){ 100 * 64 * 11, 11, 90 };
	batches_against_lists(&config, (unsigned[]){ 6, 32, 100 }, (unsigned[]){ 3, 4, 11 });
	config.level[0] = (struct latency_level){ 2 * 64, 2, 4 };
	batches_against_lists(&config, (unsigned[]){ 1, 32, 100 }, (unsigned[]){ 2, 4, 11 });
}

static void batches_of_missing_levels(void **state)
{
	(void)state;
	for (unsigned present = 0; present < 8; present++) {
		struct latency_config config = three_levels(500);
		unsigned sets[3] = { 8, 32, 64 };

		for (unsigned i = 0; i < 3; i++)
			if (!(present >> i & 1))
				config.level[i].size_bytes = sets[i] = 0;
		batches_against_lists(&config, sets, (unsigned[]){ 1, 2, 8 });
	}
}

static void fixed_model(void **state)
{
	struct latency_config config = three_levels(1000);
	const struct latency_ops *ops = latency_find("fixed");
	void *own;

	(void)state;
	config.fixed_cycles = 7;
	own = make(ops, &config);
	for (unsigned i = 0; i < 100; i++) {
		const struct latency_result r = ops->read(own, pa_of(8 * (i % 3)), i & 1);

		assert_int_equal(r.cycles, 7);
		assert_int_equal(r.found_in, FOUND_DRAM);
	}
	free(own);
	assert_null(latency_find("magic"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_levels_of_lines),
		cmocka_unit_test(share_of_ways),
		cmocka_unit_test(missing_levels),
		cmocka_unit_test(odd_sizes),
		cmocka_unit_test(lines_and_cacheability),
		cmocka_unit_test(batches),
		cmocka_unit_test(batches_of_missing_levels),
		cmocka_unit_test(fixed_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
