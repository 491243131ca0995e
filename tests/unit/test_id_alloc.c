/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The allocator of VMIDs and ASIDs against what it is for: with TLBs that keep an entry for each id
 * that ran and lose them at the flushes asked for, nobody ever finds another's entry. Numbers of
 * rollovers are laid beside counts made by hand.
 */
#include "unit.h"

#include "os/id_alloc.h"

enum { MAX_CPUS = 8, MAX_ENTITIES = 1000, NOBODY = -1 };

/* ---- a world of CPUs with TLBs that never forget ----------------------------------------------
 */

struct id_world {
	struct id_alloc ids;
	unsigned entities;
	uint64_t id[MAX_ENTITIES];
	int running[MAX_CPUS];
	int *owner[MAX_CPUS]; /* by index: whose entries the TLB of a CPU holds */
	uint64_t flushes;
};

static void world_open(struct id_world *w, unsigned bits, uint32_t cpus, unsigned entities,
		       enum id_flush flush)
{
	memset(w, 0, sizeof(*w));
	assert_true(id_alloc_init(&w->ids, bits, cpus, flush));
	w->entities = entities;
	for (uint32_t c = 0; c < cpus; c++) {
		w->running[c] = NOBODY;
		w->owner[c] = malloc(sizeof(int) << bits);
		assert_non_null(w->owner[c]);
		for (uint32_t i = 0; i < UINT32_C(1) << bits; i++)
			w->owner[c][i] = NOBODY;
	}
}

static void world_close(struct id_world *w)
{
	for (uint32_t c = 0; c < w->ids.cpus; c++)
		free(w->owner[c]);
	id_alloc_fini(&w->ids);
}

static void flush_cpu(struct id_world *w, uint32_t cpu)
{
	for (uint32_t i = 0; i < UINT32_C(1) << w->ids.bits; i++)
		w->owner[cpu][i] = NOBODY;
}

static void flush(struct id_world *w, uint32_t cpu)
{
	w->flushes++;
	if (w->ids.flush == ID_FLUSH_PENDING) {
		flush_cpu(w, cpu);
		return;
	}
	for (uint32_t c = 0; c < w->ids.cpus; c++)
		flush_cpu(w, c);
}

/* The hardware's view: index `index` on `cpu` finds what its last user left there. */
static void use(struct id_world *w, uint32_t cpu, int entity)
{
	const uint16_t index = id_alloc_index(&w->ids, w->id[entity]);
	int *owner = &w->owner[cpu][index];

	assert_int_not_equal(index, 0);
	assert_true(*owner == NOBODY || *owner == entity);
	*owner = entity;
}

static void enter(struct id_world *w, uint32_t cpu, int entity)
{
	if (id_alloc_enter(&w->ids, cpu, &w->id[entity]))
		flush(w, cpu);
	w->running[cpu] = entity;
	use(w, cpu, entity);
}

static void leave(struct id_world *w, uint32_t cpu)
{
	id_alloc_leave(&w->ids, cpu);
	w->running[cpu] = NOBODY;
}

/*
 * Two that run have two indices, an entity one wherever it runs, and who runs through somebody
 * else's rollover keeps its index.
 */
static void check_running(const struct id_world *w, const uint16_t *before)
{
	for (uint32_t a = 0; a < w->ids.cpus; a++) {
		const int me = w->running[a];

		if (me == NOBODY)
			continue;
		if (before[a])
			assert_int_equal(id_alloc_index(&w->ids, w->id[me]), before[a]);
		for (uint32_t b = 0; b < a; b++)
			if (w->running[b] != NOBODY && w->running[b] != me)
				assert_int_not_equal(id_alloc_index(&w->ids, w->id[me]),
						     id_alloc_index(&w->ids, w->id[w->running[b]]));
	}
}

/* ---- random schedules --------------------------------------------------------------------------
 */

static void random_schedule(struct rng *rng, enum id_flush rule, unsigned steps)
{
	const uint32_t cpus = 1 + pick(rng, MAX_CPUS);
	unsigned bits = 2 + pick(rng, 5);
	struct id_world w;

	while ((1u << bits) - 1 <= cpus)
		bits++;
	world_open(&w, bits, cpus, 1 + pick(rng, 3u << bits), rule);
	for (unsigned i = 0; i < steps; i++) {
		const uint32_t cpu = pick(rng, cpus);
		uint16_t before[MAX_CPUS] = { 0 };

		for (uint32_t c = 0; c < cpus; c++)
			if (w.running[c] != NOBODY && c != cpu)
				before[c] = id_alloc_index(&w.ids, w.id[w.running[c]]);
		if (rule == ID_FLUSH_ALL && chance(rng, 1, 3))
			leave(&w, cpu);
		else if (w.running[cpu] != NOBODY && chance(rng, 1, 3))
			enter(&w, cpu, w.running[cpu]); /* an exit and back */
		else
			enter(&w, cpu, (int)pick(rng, w.entities));
		check_running(&w, before);
	}
	if (rule == ID_FLUSH_ALL)
		assert_int_equal(w.flushes, w.ids.rollovers);
	else
		assert_true(w.flushes <= w.ids.rollovers * cpus);
	world_close(&w);
}

static void no_entry_of_another(void **state)
{
	struct rng rng = rng_seed(4);
	const char *is_long = getenv("TWOSTAGE_LONG");
	const unsigned rounds = is_long && *is_long ? 4000 : 100;

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		random_schedule(&rng, ID_FLUSH_ALL, 2000);
		random_schedule(&rng, ID_FLUSH_PENDING, 2000);
	}
}

/* ---- counts by hand ----------------------------------------------------------------------------
 */

/* 2^bits - 1 entities fit; the next one is the rollover, and gets the first index but those kept.
 */
static void first_rollover(void **state)
{
	static const unsigned bits[] = { 2, 8, 16 };
	uint64_t id, first = 0, last_of_first;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		const uint64_t indices = UINT64_C(1) << bits[i];
		struct id_alloc ids;

		assert_true(id_alloc_init(&ids, bits[i], 1, ID_FLUSH_ALL));
		for (uint64_t n = 1; n < indices; n++) {
			id = 0;
			assert_false(id_alloc_enter(&ids, 0, &id));
			assert_int_equal(id_alloc_index(&ids, id), n);
			id_alloc_leave(&ids, 0);
			if (n == 1)
				first = id;
		}
		assert_int_equal(ids.rollovers, 0);
		last_of_first = id;
		id = 0;
		assert_true(id_alloc_enter(&ids, 0, &id));
		assert_int_equal(id_alloc_index(&ids, id), 1);
		assert_int_equal(id - first, indices); /* the next generation */
		assert_true(id > last_of_first);
		assert_int_equal(ids.rollovers, 1);
		assert_int_equal(ids.allocations, indices);
		id_alloc_fini(&ids);
	}
}

/* Those that run when 8 bits run out keep their index and take room from the generation. */
static void running_ids_survive(void **state)
{
	uint64_t running[4] = { 0 }, before[4], id;
	struct id_alloc ids;
	unsigned fresh = 0;

	(void)state;
	assert_true(id_alloc_init(&ids, 8, 5, ID_FLUSH_ALL));
	for (uint32_t c = 0; c < 4; c++) {
		assert_false(id_alloc_enter(&ids, c, &running[c]));
		before[c] = running[c];
	}
	for (; ids.rollovers == 0; id_alloc_leave(&ids, 4)) {
		id = 0;
		id_alloc_enter(&ids, 4, &id);
		fresh++;
	}
	assert_int_equal(fresh, 255 - 4 + 1);
	assert_int_equal(id_alloc_index(&ids, id), 5); /* 1 to 4 are kept */
	for (uint32_t c = 0; c < 4; c++) {
		assert_false(id_alloc_enter(&ids, c, &running[c]));
		assert_int_equal(running[c], before[c] + 256);
	}
	/* 5 taken, 250 more until the next. */
	for (fresh = 0; ids.rollovers == 1; fresh++) {
		id = 0;
		id_alloc_leave(&ids, 4);
		id_alloc_enter(&ids, 4, &id);
	}
	assert_int_equal(fresh, 250 + 1);
	/* Who is scheduled out keeps nothing at the next one, though it was kept before. */
	for (uint32_t c = 0; c < 4; c++) {
		assert_false(id_alloc_enter(&ids, c, &running[c]));
		id_alloc_leave(&ids, c);
	}
	while (ids.rollovers == 2) {
		id = 0;
		id_alloc_leave(&ids, 4);
		id_alloc_enter(&ids, 4, &id);
	}
	assert_int_equal(id_alloc_index(&ids, id), 1);
	id_alloc_fini(&ids);
}

/* A VM that two CPUs ran at the rollover is renewed for both; another may not take its index. */
static void one_vm_on_two_cpus(void **state)
{
	uint64_t vm = 0, other = 0, id;
	struct id_alloc ids;

	(void)state;
	assert_true(id_alloc_init(&ids, 3, 3, ID_FLUSH_ALL));
	id_alloc_enter(&ids, 0, &vm);
	id_alloc_enter(&ids, 1, &vm);
	for (unsigned round = 0; round < 5; round++) {
		const uint64_t goal = ids.rollovers + 1;

		for (id = 0; ids.rollovers < goal; id_alloc_leave(&ids, 2)) {
			id = 0;
			id_alloc_enter(&ids, 2, &id);
			assert_int_not_equal(id_alloc_index(&ids, id), id_alloc_index(&ids, vm));
		}
		/* Only one of the two enters again: the other's reservation follows. */
		assert_false(id_alloc_enter(&ids, round % 2, &vm));
		assert_int_equal(id_alloc_index(&ids, vm), 1);
	}
	id_alloc_leave(&ids, 0);
	id_alloc_enter(&ids, 0, &other);
	assert_int_not_equal(id_alloc_index(&ids, other), 1);
	id_alloc_fini(&ids);
}

/*
 * n VMs in turn on one CPU: none rolls over while n indices exist. With more, each VM comes to find
 * its index given away or, where the generation still has it free, takes it again: counted here by
 * the rule alone, on an array of bools.
 */
static uint64_t rollovers_by_rule(unsigned bits, unsigned vms, unsigned rounds)
{
	const unsigned indices = 1u << bits;
	uint64_t rollovers = 0, generation = 1;
	uint64_t own_generation[MAX_ENTITIES] = { 0 };
	unsigned own[MAX_ENTITIES] = { 0 }, cursor = 1, at;
	bool taken[256] = { false };

	for (unsigned n = 0; n < rounds * vms; n++) {
		const unsigned vm = n % vms;

		if (own_generation[vm] == generation)
			continue;
		own_generation[vm] = generation;
		if (own[vm] && !taken[own[vm]]) {
			taken[own[vm]] = true;
			continue;
		}
		for (at = cursor; at < indices && taken[at]; at++)
			;
		if (at == indices) {
			rollovers++;
			own_generation[vm] = ++generation;
			memset(taken, 0, sizeof(taken));
			at = 1; /* nobody runs while a VM is switched in */
		}
		taken[at] = true;
		own[vm] = at;
		cursor = at;
	}
	return rollovers;
}

static void round_robin(void **state)
{
	static const unsigned vms[] = { 2, 3, 14, 15, 16, 17, 100, 254, 255, 256, 257, 511, 1000 };
	struct id_world w;

	(void)state;
	for (unsigned bits = 4; bits <= 8; bits += 4) {
		for (unsigned i = 0; i < sizeof(vms) / sizeof(vms[0]); i++) {
			world_open(&w, bits, 1, vms[i], ID_FLUSH_ALL);
			for (unsigned n = 0; n < 20 * vms[i]; n++) {
				enter(&w, 0, (int)(n % vms[i]));
				leave(&w, 0);
			}
			assert_int_equal(w.ids.rollovers, rollovers_by_rule(bits, vms[i], 20));
			assert_int_equal(w.ids.rollovers == 0, vms[i] < 1u << bits);
			world_close(&w);
		}
	}
}

/* ASIDs: a CPU flushes once per rollover, when it next enters, and a second rollover adds none. */
static void pending_flushes(void **state)
{
	uint64_t here = 0, there = 0, id;
	struct id_alloc ids;

	(void)state;
	assert_true(id_alloc_init(&ids, 4, 3, ID_FLUSH_PENDING));
	assert_false(id_alloc_enter(&ids, 0, &here));
	assert_false(id_alloc_enter(&ids, 1, &there));
	for (unsigned goal = 1; goal <= 2; goal++) {
		while (ids.rollovers < goal) {
			const uint64_t before = ids.rollovers;
			bool flushes;

			id = 0;
			flushes = id_alloc_enter(&ids, 2, &id);
			assert_int_equal(flushes, ids.rollovers != before);
		}
		if (goal == 1)
			assert_true(id_alloc_enter(&ids, 0, &here));
	}
	assert_true(id_alloc_enter(&ids, 0, &here));
	assert_false(id_alloc_enter(&ids, 0, &here));
	assert_true(id_alloc_enter(&ids, 1, &there)); /* once for two */
	assert_false(id_alloc_enter(&ids, 1, &there));
	id_alloc_fini(&ids);
}

static void refused(void **state)
{
	struct id_alloc ids;

	(void)state;
	assert_false(id_alloc_init(&ids, 0, 1, ID_FLUSH_ALL));
	assert_false(id_alloc_init(&ids, 17, 1, ID_FLUSH_ALL));
	assert_false(id_alloc_init(&ids, 8, 0, ID_FLUSH_ALL));
	assert_false(id_alloc_init(&ids, 8, 255, ID_FLUSH_ALL));
	assert_false(id_alloc_init(&ids, 1, 1, ID_FLUSH_ALL));
	assert_true(id_alloc_init(&ids, 8, 254, ID_FLUSH_ALL));
	id_alloc_fini(&ids);
	assert_true(id_alloc_init(&ids, 2, 2, ID_FLUSH_ALL));
	id_alloc_fini(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_entry_of_another),
		cmocka_unit_test(first_rollover),
		cmocka_unit_test(running_ids_survive),
		cmocka_unit_test(one_vm_on_two_cpus),
		cmocka_unit_test(round_robin),
		cmocka_unit_test(pending_flushes),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
