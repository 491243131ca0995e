/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Searches for thresholds, against the whole grid: made-up functions of a setting, monotone and
 * not, with values that cannot be in between, settled in any order. Nothing is replayed.
 */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "run/point.h"
#include "sweep/find.h"
#include "sweep/sweep.h"

enum { ROUNDS = 15, ROUNDS_LONG = 300, UNDER_WAY_MAX = 64 };

static char folder[64], path[128];

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, P_tmpdir "/test_find.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static const char *place(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* A spec with one more axis; traces are not opened, so that any file will do. */
static struct plan *load(const char *rest)
{
	struct diag diag = DIAG_INIT;
	FILE *file = fopen(place("s.yaml"), "w");
	struct plan *plan;

	assert_non_null(file);
	fprintf(file, "name: find\nmodels: neoverse-n1\ntraces: Makefile\n%s", rest);
	assert_int_equal(fclose(file), 0);
	plan = plan_load(place("s.yaml"), &diag);
	if (!plan)
		fail_msg("%s: %s", diag.place, diag.text);
	return plan;
}

/* Statistics by settings: what a replay would give. */
struct world {
	bool monotone, falls;
	uint64_t threshold, seed;
	uint64_t impossible_below; /* entries at which the replay finds that it cannot be */
};

static uint64_t walks_of(const struct world *world, const struct config *config)
{
	const uint64_t entries = config->tlb.l2.entries, bits = config->stage2.ipa_bits;
	struct rng rng = rng_seed(world->seed + entries * 64 + bits);

	if (!world->monotone)
		return rng_below(&rng, 200);
	/* Each IPA size has a threshold of its own. */
	if ((entries >= world->threshold + bits) != world->falls)
		return rng_below(&rng, 100);
	return 100 + rng_below(&rng, 100);
}

static bool holds(const struct world *world, const struct config *config)
{
	return config->tlb.l2.entries >= world->impossible_below && walks_of(world, config) < 100;
}

static void put(struct db *db, const struct plan *plan, size_t index, const struct world *world)
{
	const struct plan_point *point = &plan->points[index];
	struct db_point row = { .model = "m", .trace = { .name = "t" } };
	struct diag diag = DIAG_INIT;

	memcpy(row.key, point->key, sizeof(row.key));
	plan_config(plan, point, &row.config);
	row.stats.v[STAT_walks] = walks_of(world, &row.config);
	if (row.config.tlb.l2.entries < world->impossible_below) {
		row.status = DB_POINT_IMPOSSIBLE;
		row.reason = "too small";
	}
	assert_int_equal(db_put(db, &row, &diag), STATUS_OK);
}

/* Runs all searches; the number of points that they asked for. Several are under way at once. */
static size_t run(struct find *find, struct db *db, const struct plan *plan,
		  const struct world *world, struct rng *rng)
{
	size_t under_way[UNDER_WAY_MAX], n = 0, n_asked = 0;
	const size_t most = 1 + pick(rng, UNDER_WAY_MAX);
	struct diag diag = DIAG_INIT;

	for (;;) {
		size_t which, next = SWEEP_NONE;

		while (n < most && (next = find_pick(find)) != SWEEP_NONE) {
			under_way[n++] = next;
			n_asked++;
		}
		if (n == 0)
			return n_asked;
		which = pick(rng, (unsigned)n);
		put(db, plan, under_way[which], world);
		assert_int_equal(find_settle(find, under_way[which], db, &diag), STATUS_OK);
		under_way[which] = under_way[--n];
	}
}

static bool holds_at(const struct plan *plan, const struct world *world, size_t index)
{
	struct config config;

	plan_config(plan, &plan->points[index], &config);
	return holds(world, &config);
}

static size_t log2_up(size_t n)
{
	size_t bits = 0;

	while ((size_t)1 << bits < n)
		bits++;
	return bits;
}

/* The candidates of one search, against all points of its combination. */
static void check_candidates(const struct find *find, const struct plan *plan,
			     const struct find_search *search, size_t n_values)
{
	size_t n = 0;

	for (size_t i = search->example; i < search->example + n_values; i++) {
		struct config config;

		plan_config(plan, &plan->points[i], &config);
		/* Five ways: a multiple of five. */
		assert_int_equal(point_check(&config, NULL) == STATUS_OK,
				 config.tlb.l2.entries % 5 == 0);
		if (config.tlb.l2.entries % 5 == 0)
			assert_int_equal(find_point(find, search, n++), i);
	}
	assert_int_equal(search->n, n);
}

static void check_search(const struct find *find, const struct plan *plan,
			 const struct find_search *search, const struct world *world)
{
	size_t n_changes = 0;
	const bool first = holds_at(plan, world, find_point(find, search, 0));
	const bool last = holds_at(plan, world, find_point(find, search, search->n - 1));
	const bool low = holds_at(plan, world, find_point(find, search, search->low));
	const bool high = holds_at(plan, world, find_point(find, search, search->high));

	assert_int_equal(search->at_low.holds, low);
	assert_int_equal(search->at_high.holds, high);
	if (first == last) {
		assert_int_equal(search->state, first ? FIND_ALWAYS : FIND_NEVER);
		return;
	}
	assert_int_equal(search->state, FIND_EDGE);
	assert_int_equal(search->high, search->low + 1);
	assert_int_not_equal(low, high);
	for (size_t i = 1; i < search->n; i++) {
		if (holds_at(plan, world, find_point(find, search, i)) ==
		    holds_at(plan, world, find_point(find, search, i - 1)))
			continue;
		n_changes++;
		if (world->monotone && world->impossible_below == 0)
			assert_int_equal(search->high, i);
	}
	if (world->monotone && world->impossible_below == 0)
		assert_int_equal(n_changes, 1);
}

static void as_the_whole_grid(void **state)
{
	const char *all = getenv("TWOSTAGE_LONG");
	const unsigned rounds = all && *all ? ROUNDS_LONG : ROUNDS;
	struct rng rng = rng_seed(20261121);

	(void)state;
	for (unsigned round = 0; round < rounds; round++) {
		struct plan *plan = load("axes: { stage2.ipa_bits: [36, 40, 44] }\n");
		const size_t n_values = 5 + pick(&rng, 200);
		const struct world world = {
			.monotone = chance(&rng, 2, 3),
			.falls = chance(&rng, 1, 3),
			.threshold = rng_below(&rng, n_values + 10),
			.seed = rng_next(&rng),
			.impossible_below = chance(&rng, 1, 4) ? rng_below(&rng, n_values) : 0,
		};
		struct diag diag = DIAG_INIT;
		char axis[64];
		struct find *find;
		struct db *db;
		size_t n, n_asked;
		const struct find_search *searches;

		unlink(place("f.db"));
		db = db_open(place("f.db"), DB_WRITE, &diag);
		assert_non_null(db);
		snprintf(axis, sizeof(axis), "tlb.l2.entries=5..%zu", n_values + 4);
		find = find_create(plan, axis, "walks < 100", &diag);
		assert_non_null(find);
		assert_int_equal(plan_expand(plan, &diag), STATUS_OK);
		assert_int_equal(find_begin(find, &diag), STATUS_OK);
		assert_int_equal(db_begin(db, &diag), STATUS_OK);
		n_asked = run(find, db, plan, &world, &rng);
		assert_int_equal(db_end(db, STATUS_OK, &diag), STATUS_OK);
		searches = find_searches(find, &n);
		assert_int_equal(n, 3);
		assert_true(n_asked <= 3 * (2 + log2_up(searches[0].n)));
		assert_int_equal(find_impossible(find), 3 * (n_values - searches[0].n));
		for (size_t i = 0; i < n; i++) {
			check_candidates(find, plan, &searches[i], n_values);
			check_search(find, plan, &searches[i], &world);
		}
		db_close(db, NULL);
		find_free(find);
		plan_free(plan);
	}
}

/* Start levels of stage 2 on the N1 (48 bits of PA), 4K granule: from 44 bits on level 0, as KVM
 * concatenates up to 16 tables. */
static void without_replay(void **state)
{
	struct plan *plan = load("set: { host.backing: 2M }\n");
	struct diag diag = DIAG_INIT;
	struct find *find =
		find_create(plan, "stage2.ipa_bits=32..52", "stage2_start_level < 1", &diag);
	const struct find_search *search;
	struct config config;
	size_t n;

	(void)state;
	assert_non_null(find);
	assert_false(find_needs_run(find));
	assert_int_equal(plan_expand(plan, &diag), STATUS_OK);
	assert_int_equal(find_begin(find, &diag), STATUS_OK);
	assert_int_equal(find_pick(find), SWEEP_NONE);
	search = find_searches(find, &n);
	assert_int_equal(n, 1);
	assert_int_equal(search->n, 17);
	assert_int_equal(search->state, FIND_EDGE);
	plan_config(plan, &plan->points[find_point(find, search, search->high)], &config);
	assert_int_equal(config.stage2.ipa_bits, 44);
	assert_true(search->at_high.value == 0 && search->at_low.value == 1);
	find_free(find);
	plan_free(plan);
}

/* Choices have the order of the spec; a zipped group moves as one. */
static void axes_of_the_spec(void **state)
{
	struct plan *plan = load("zip: { host.backing: [2M, 4K, 1G], host.block_rule: [v10, v10, "
				 "relaxed] }\naxes: { stage2.ipa_bits: [40, 44] }\n");
	struct diag diag = DIAG_INIT;
	struct find *find = find_create(plan, "host.block_rule", "walks > 1", &diag);
	static const uint64_t backing[] = { 21, 12, 30 };
	const struct find_search *searches;
	size_t n;

	(void)state;
	assert_non_null(find);
	assert_int_equal(plan_expand(plan, &diag), STATUS_OK);
	assert_int_equal(find_begin(find, &diag), STATUS_OK);
	searches = find_searches(find, &n);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(searches[i].n, 3);
		for (size_t k = 0; k < 3; k++) {
			struct config config;

			plan_config(plan, &plan->points[find_point(find, &searches[i], k)],
				    &config);
			assert_int_equal(config.stage2.ipa_bits, i ? 44 : 40);
			assert_int_equal(config.host.backing, backing[k]);
		}
	}
	find_free(find);
	plan_free(plan);
}

static void ranges(void **state)
{
	static const struct {
		const char *axis;
		uint64_t first, last;
		size_t n;
	} cases[] = {
		{ "stage2.ipa_bits=40..40", 40, 40, 1 },
		{ "stage2.ipa_bits=32..48:5", 32, 47, 4 },
		{ "guest.memory=16M..1G:x2", 16 << 20, 1 << 30, 7 },
		{ "guest.memory=1G..2G:256M", 1 << 30, UINT64_C(2) << 30, 5 },
		{ "tlb.l2.entries=20..30:100", 20, 20, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plan *plan = load("");
		struct diag diag = DIAG_INIT;
		struct find *find = find_create(plan, cases[i].axis, "walks < 1", &diag);
		const struct plan_axis *axis;

		if (!find)
			fail_msg("%s: %s", cases[i].axis, diag.text);
		axis = &plan->grids[0].axes[plan->grids[0].n_axes - 1];
		assert_int_equal(axis->n_steps, cases[i].n);
		assert_int_equal(axis->fields[0], cases[i].first);
		assert_int_equal(axis->fields[cases[i].n - 1], cases[i].last);
		find_free(find);
		plan_free(plan);
	}
}

static void refused(void **state)
{
	static const struct {
		const char *axis, *condition, *why;
	} cases[] = {
		{ "stage2.ipa_bit=32..40", "walks < 1", "did you mean 'stage2.ipa_bits'" },
		{ "tlb.l2.entries", "walks < 1", "no axis of the spec" },
		{ "seed", "walks < 1", "no axis of the spec" },
		{ "stage2.ipa_bits=36..44", "walks < 1", "an axis of the spec already" },
		{ "host.block_rule=a..b", "walks < 1", "takes no range" },
		{ "tlb.l2.entries=64", "walks < 1", "LO..HI[:STEP] expected" },
		{ "tlb.l2.entries=64..32", "walks < 1", "begins behind its end" },
		{ "tlb.l2.entries=1..64:x1", "walks < 1", "a factor of 2" },
		{ "tlb.l2.entries=1..64:0", "walks < 1", "out of range" },
		{ "tlb.l2.entries=1..9999999999999", "walks < 1", "out of range" },
		{ "stage2.ipa_bits", "walks", "<, <=, > or >=" },
		{ "stage2.ipa_bits", "walks = 1", "<, <=, > or >=" },
		{ "stage2.ipa_bits", "wolks < 1", "did you mean 'walks'" },
		{ "stage2.ipa_bits", "walks <", "expected" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plan *plan = load("axes: { stage2.ipa_bits: [40, 44] }\n");
		struct diag diag = DIAG_INIT;

		assert_null(find_create(plan, cases[i].axis, cases[i].condition, &diag));
		assert_int_equal(diag.status, STATUS_BAD_INPUT);
		if (!strstr(diag.text, cases[i].why))
			fail_msg("%s: %s", cases[i].axis, diag.text);
		assert_true(*diag.place);
		plan_free(plan);
	}
}

/* The same point in two grids: one of the searches would have a hole. */
static void overlap(void **state)
{
	struct plan *plan = load("grids: [ { axes: { stage2.ipa_bits: [36, 40, 44] } }, "
				 "{ axes: { stage2.ipa_bits: [40, 42] } } ]\n");
	struct diag diag = DIAG_INIT;
	struct find *find = find_create(plan, "stage2.ipa_bits", "walks < 1", &diag);

	(void)state;
	assert_non_null(find);
	assert_int_equal(plan_expand(plan, &diag), STATUS_OK);
	assert_int_equal(find_begin(find, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "points twice"));
	find_free(find);
	plan_free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_whole_grid), cmocka_unit_test(without_replay),
		cmocka_unit_test(axes_of_the_spec),  cmocka_unit_test(ranges),
		cmocka_unit_test(refused),	     cmocka_unit_test(overlap),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
