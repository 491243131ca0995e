/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replacement policies against naive models written from their definitions, and what run_safe
 * promises: repeats of a hit change no later victim.
 */
#include "unit.h"

#include "mmu/repl.h"
#include "mmu/repl/lru.h"

enum { MAX_WAYS = 64, SETS = 3, STEPS = 4000 };

/* ---- naive models: one set each ------------------------------------------------------------- */

struct naive {
	unsigned ways;
	unsigned order[MAX_WAYS]; /* LRU, FIFO: ways, the next victim first */
	unsigned count;
	bool used[MAX_WAYS];			   /* NRU */
	unsigned interval[MAX_WAYS];		   /* SRRIP */
	bool points_right[MAX_WAYS][MAX_WAYS + 1]; /* PLRU: by first way and span of the node */
};

static void order_append(struct naive *n, unsigned way)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n->count; i++)
		if (n->order[i] != way)
			n->order[kept++] = n->order[i];
	n->order[kept++] = way;
	n->count = kept;
}

static void lru_use(struct naive *n, unsigned way)
{
	order_append(n, way);
}

static void none_use(struct naive *n, unsigned way)
{
	(void)n;
	(void)way;
}

static unsigned order_victim(struct naive *n)
{
	return n->order[0];
}

static void nru_use(struct naive *n, unsigned way)
{
	bool all = true;

	n->used[way] = true;
	for (unsigned i = 0; i < n->ways; i++)
		all = all && n->used[i];
	for (unsigned i = 0; all && i < n->ways; i++)
		n->used[i] = i == way;
}

static unsigned nru_victim(struct naive *n)
{
	for (unsigned i = 0; i < n->ways; i++)
		if (!n->used[i])
			return i;
	return 0; /* a single way */
}

static void srrip_hit(struct naive *n, unsigned way)
{
	n->interval[way] = 0;
}

static void srrip_fill(struct naive *n, unsigned way)
{
	n->interval[way] = 2;
}

static unsigned srrip_victim(struct naive *n)
{
	unsigned oldest = 0;

	/* The first of those predicted farthest; all age until it is distant (3). */
	for (unsigned i = 1; i < n->ways; i++)
		if (n->interval[i] > n->interval[oldest])
			oldest = i;
	for (unsigned i = 0, by = 3 - n->interval[oldest]; i < n->ways; i++)
		n->interval[i] += by;
	return oldest;
}

static unsigned tree_span(unsigned ways)
{
	unsigned span = 1;

	while (span < ways)
		span *= 2;
	return span;
}

/* Each node on the way to the leaf points away from it. */
static void plru_use(struct naive *n, unsigned way)
{
	unsigned first = 0;

	for (unsigned span = tree_span(n->ways); span > 1; span /= 2) {
		const bool in_right = way >= first + span / 2;

		n->points_right[first][span] = !in_right;
		first += in_right ? span / 2 : 0;
	}
}

static unsigned plru_victim(struct naive *n)
{
	unsigned first = 0;

	for (unsigned span = tree_span(n->ways); span > 1; span /= 2) {
		const bool right_is_empty = first + span / 2 >= n->ways;

		if (n->points_right[first][span] && !right_is_empty)
			first += span / 2;
	}
	return first;
}

struct definition {
	const char *name;
	void (*hit)(struct naive *, unsigned way);
	void (*fill)(struct naive *, unsigned way);
	unsigned (*victim)(struct naive *);
	bool spares_last; /* with two ways or more the way used last is no victim */
};

static const struct definition definitions[] = {
	{ "lru", lru_use, lru_use, order_victim, true },
	{ "fifo", none_use, lru_use, order_victim, false },
	{ "nru", nru_use, nru_use, nru_victim, true },
	{ "plru", plru_use, plru_use, plru_victim, true },
	{ "srrip", srrip_hit, srrip_fill, srrip_victim, false },
};

/* ---- the policy under test ------------------------------------------------------------------ */

struct policy {
	const struct repl_ops *ops;
	void *state;
};

static struct policy make(const char *name, unsigned ways, uint64_t seed)
{
	const struct repl_geometry geometry = { .sets = SETS, .ways = ways };
	struct policy p = { .ops = repl_find(name) };

	assert_non_null(p.ops);
	p.state = malloc(p.ops->state_bytes(geometry));
	assert_non_null(p.state);
	p.ops->init(p.state, geometry, seed);
	return p;
}

static const unsigned ways_tried[] = { 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 48, 64 };

/* The protocol of a TLB: free ways are filled first, then victims. */
static void against_definition(const struct definition *d, unsigned ways)
{
	struct policy p = make(d->name, ways, 1);
	struct naive naive[SETS];
	unsigned filled[SETS] = { 0 }, last[SETS] = { 0 };
	struct rng rng = rng_seed(ways);

	memset(naive, 0, sizeof(naive));
	for (unsigned set = 0; set < SETS; set++)
		naive[set].ways = ways;
	for (unsigned step = 0; step < STEPS; step++) {
		const unsigned set = pick(&rng, SETS);
		unsigned way;

		if (filled[set] && chance(&rng, 3, 5)) {
			way = pick(&rng, filled[set]);
			p.ops->on_hit(p.state, set, way);
			d->hit(&naive[set], way);
		} else {
			way = filled[set];
			if (filled[set] == ways) {
				way = p.ops->victim(p.state, set);
				assert_int_equal(way, d->victim(&naive[set]));
				assert_true(ways == 1 || !d->spares_last || way != last[set]);
			} else {
				filled[set]++;
			}
			p.ops->on_fill(p.state, set, way);
			d->fill(&naive[set], way);
		}
		last[set] = way;
	}
	free(p.state);
}

static void definitions_hold(void **state)
{
	(void)state;
	for (size_t d = 0; d < sizeof(definitions) / sizeof(definitions[0]); d++)
		for (size_t w = 0; w < sizeof(ways_tried) / sizeof(ways_tried[0]); w++)
			against_definition(&definitions[d], ways_tried[w]);
}

/* Every policy but `random` has a definition above. */
static void all_policies_are_tested(void **state)
{
	size_t known = 0;

	(void)state;
	for (size_t i = 0; repl_registry[i]; i++) {
		assert_ptr_equal(repl_find(repl_registry[i]->name), repl_registry[i]);
		known += strcmp(repl_registry[i]->name, "random") == 0;
		for (size_t d = 0; d < sizeof(definitions) / sizeof(definitions[0]); d++)
			known += strcmp(repl_registry[i]->name, definitions[d].name) == 0;
		assert_int_equal(known, i + 1);
	}
	assert_null(repl_find("clock"));
}

static void random_draws(void **state)
{
	enum { DRAWS = 20000 };
	unsigned seen[MAX_WAYS];

	(void)state;
	for (size_t w = 0; w < sizeof(ways_tried) / sizeof(ways_tried[0]); w++) {
		const unsigned ways = ways_tried[w];
		struct policy a = make("random", ways, 7), b = make("random", ways, 7);
		struct policy other = make("random", ways, 8);
		unsigned different = 0;

		memset(seen, 0, sizeof(seen));
		for (unsigned i = 0; i < DRAWS; i++) {
			const unsigned way = a.ops->victim(a.state, i % SETS);

			assert_true(way < ways);
			seen[way]++;
			assert_int_equal(b.ops->victim(b.state, i % SETS), way);
			different += other.ops->victim(other.state, i % SETS) != way;
		}
		/* Six standard deviations of a binomial count, taken as sqrt(n p) <= n p / 17. */
		for (unsigned way = 0; way < ways; way++) {
			assert_true(seen[way] * ways > DRAWS / 3 * 2);
			assert_true(seen[way] * ways < DRAWS / 3 * 4);
		}
		assert_int_equal(different != 0, ways > 1);
		free(a.state);
		free(b.state);
		free(other.state);
	}
}

/* Two copies, one of them with each hit and fill followed by repeats of the hit. */
static bool repeats_change_nothing(const char *name, unsigned ways)
{
	struct policy plain = make(name, ways, 3), repeated = make(name, ways, 3);
	struct rng rng = rng_seed(ways + 100);
	unsigned filled[SETS] = { 0 };
	bool equal = true;

	for (unsigned step = 0; equal && step < STEPS; step++) {
		const unsigned set = pick(&rng, SETS);
		unsigned way;

		if (filled[set] && chance(&rng, 1, 2)) {
			way = pick(&rng, filled[set]);
			plain.ops->on_hit(plain.state, set, way);
			repeated.ops->on_hit(repeated.state, set, way);
		} else {
			way = filled[set];
			if (way == ways) {
				way = plain.ops->victim(plain.state, set);
				equal = repeated.ops->victim(repeated.state, set) == way;
			} else {
				filled[set]++;
			}
			plain.ops->on_fill(plain.state, set, way);
			repeated.ops->on_fill(repeated.state, set, way);
		}
		for (unsigned i = pick(&rng, 3); i > 0; i--)
			repeated.ops->on_hit(repeated.state, set, way);
	}
	free(plain.state);
	free(repeated.state);
	return equal;
}

static void run_safe_is_true(void **state)
{
	(void)state;
	for (size_t i = 0; repl_registry[i]; i++) {
		bool safe = true;

		for (size_t w = 0; w < sizeof(ways_tried) / sizeof(ways_tried[0]); w++)
			safe = safe &&
			       repeats_change_nothing(repl_registry[i]->name, ways_tried[w]);
		assert_int_equal(safe, repl_registry[i]->run_safe);
	}
}

/* Each way of finding the oldest of many stamps gives the first of the smallest. */
static void oldest_is_found(void **state)
{
	enum { WAYS = 300 };
	uint64_t stamp[WAYS], random = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		const uint32_t ways = 1 + round % WAYS;
		const uint64_t range = round % 3 ? UINT64_MAX >> 1 : 1 + round % 7;
		uint32_t first = 0;

		for (uint32_t i = 0; i < ways; i++) {
			random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
			stamp[i] = (random >> 1) % range;
			first = stamp[i] < stamp[first] ? i : first;
		}
		assert_int_equal(lru_finder(LRU_PLAIN)(stamp, ways), first);
		assert_int_equal(lru_finder(LRU_AVX2)(stamp, ways), first);
		assert_int_equal(lru_finder(LRU_WIDEST)(stamp, ways), first);
	}
}

/* The victims of a ring of turns are those of a pass over all stamps, whatever is used between. */
static void turns_are_lru(void **state)
{
	static const uint32_t ring_ways[] = { 1, 2, 3, 16, 17, 48, 64, 255 };
	uint64_t stamp[LRU_TURNS_MOST], random = 1, clock;

	(void)state;
	for (unsigned t = 0; t < sizeof(ring_ways) / sizeof(ring_ways[0]); t++) {
		const uint32_t ways = ring_ways[t];
		struct lru_turns *turns = malloc(lru_turns_bytes(ways));

		assert_non_null(turns);
		lru_turns_init(turns, ways);
		clock = 0;
		for (uint32_t way = 0; way < ways; way++) {
			stamp[way] = ++clock;
			lru_turns_fill(turns, way, clock);
		}
		for (unsigned step = 0; step < 20000; step++) {
			uint32_t victim = lru_turns_are_right(turns, stamp)
						  ? lru_turns_way(turns)
						  : lru_turns_settle(turns, stamp);

			assert_int_equal(victim, lru_oldest(stamp, ways));
			random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
			/* Now and then a way is freed, and filled before others. */
			if (random >> 60 == 0)
				victim = (uint32_t)(random >> 33) % ways;
			stamp[victim] = ++clock;
			lru_turns_fill(turns, victim, clock);
			/* Long rounds of misses, and hits of few or of many ways. */
			for (uint64_t hits = step / 1000 % 4 * (random >> 58 & 7); hits; hits--) {
				random = random * UINT64_C(6364136223846793005) + 1;
				stamp[(random >> 33) % (step % 2 ? ways : (ways + 3) / 4)] =
					++clock;
			}
		}
		free(turns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_policies_are_tested),
		cmocka_unit_test(definitions_hold),
		cmocka_unit_test(random_draws),
		cmocka_unit_test(run_safe_is_true),
		cmocka_unit_test(oldest_is_found),
		cmocka_unit_test(turns_are_lru),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
