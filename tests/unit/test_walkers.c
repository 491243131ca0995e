/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walkers side by side. The oracle is a machine that lives cycle by cycle: walkers with a count of
 * cycles left, a queue of waiting walks, and a core that begins its instructions one after the
 * other. It knows no times of beginning and end, and none of the engine's arithmetic.
 */
#include "timing/walkers.h"

#include "unit.h"

enum { OPS_MAX = 60, WALKS_MAX = OPS_MAX, PAGE = 4096 };

enum op_kind { OP_DATA_WALK, OP_FETCH_WALK, OP_DATA_TOUCH, OP_FETCH_TOUCH, OP_SPACE };

/* An access, or a switch to another address space, of an instruction. */
struct op {
	enum op_kind kind;
	uint64_t position; /* never falls */
	uint64_t page, cycles;
};

struct program {
	struct op op[OPS_MAX];
	unsigned n;
};

/* What comes of a program. */
struct outcome {
	uint64_t stall, stall_walkers, queue, active, merged, repeated, repeat_cycles;
};

/* ---- the naive machine ---------------------------------------------------------------------- */

struct naive_walk {
	bool runs, done, joinable;
	uint64_t left, position, page, cycles;
};

struct naive {
	const struct walkers_config *config;
	struct naive_walk walk[WALKS_MAX]; /* in their order */
	unsigned n;
	uint64_t position; /* of the core */
	uint64_t worked;   /* cycles that it did not wait */
	unsigned next;	   /* operation */
	int awaited;	   /* walk that the core waits for; -1: none */
	struct outcome out;
};

static unsigned unfinished(const struct naive *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n; i++)
		n += !m->walk[i].done;
	return n;
}

/* Waiting walks, the oldest first, get the walkers that are free. */
static void dispatch(struct naive *m)
{
	unsigned busy = 0;

	for (unsigned i = 0; i < m->n; i++)
		busy += m->walk[i].runs && !m->walk[i].done;
	for (unsigned i = 0; i < m->n && busy < m->config->count; i++) {
		if (m->walk[i].runs)
			continue;
		m->walk[i].runs = true;
		busy++;
	}
}

/* False: there is no place for it in this cycle. */
static bool add_walk(struct naive *m, const struct op *op, uint64_t cycles, bool joinable)
{
	if (unfinished(m) == m->config->count + m->config->queue)
		return false;
	m->walk[m->n++] = (struct naive_walk){ .left = cycles,
					       .position = m->position,
					       .page = op->page,
					       .cycles = cycles,
					       .joinable = joinable };
	dispatch(m);
	return true;
}

/* The youngest walk of the page: it fills the TLBs, whatever becomes of older ones. */
static int find_walk(const struct naive *m, uint64_t page)
{
	for (int i = (int)m->n - 1; i >= 0; i--)
		if (m->walk[i].joinable && m->walk[i].page == page)
			return m->walk[i].done ? -1 : i;
	return -1;
}

enum try { TRY_DONE, TRY_NO_PLACE };

static enum try touch(struct naive *m, const struct op *op)
{
	const int found = find_walk(m, op->page);

	if (found < 0)
		return TRY_DONE;
	if (m->config->merge == WALKERS_MERGE) {
		m->out.merged++;
	} else if (add_walk(m, op, m->walk[found].cycles, false)) {
		m->out.repeated++;
		m->out.repeat_cycles += m->walk[found].cycles;
	} else {
		return TRY_NO_PLACE;
	}
	if (op->kind == OP_FETCH_TOUCH)
		m->awaited = found;
	return TRY_DONE;
}

static enum try perform(struct naive *m, const struct op *op)
{
	switch (op->kind) {
	case OP_DATA_WALK:
	case OP_FETCH_WALK:
		if (!add_walk(m, op, op->cycles, op->kind == OP_DATA_WALK))
			return TRY_NO_PLACE;
		if (op->kind == OP_FETCH_WALK)
			m->awaited = (int)m->n - 1;
		return TRY_DONE;
	case OP_DATA_TOUCH:
	case OP_FETCH_TOUCH:
		return touch(m, op);
	default:
		for (unsigned i = 0; i < m->n; i++)
			m->walk[i].joinable = false;
		return TRY_DONE;
	}
}

static bool window_full(const struct naive *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (!m->walk[i].done &&
		    m->position + 1 >= m->walk[i].position + m->config->window_instructions)
			return true;
	return false;
}

enum cycle { CYCLE_WORK, CYCLE_WAIT, CYCLE_WAIT_FOR_PLACE, CYCLE_END };

/* What the core does in one cycle: all that it can begin, then work or wait. */
static enum cycle core_cycle(struct naive *m, const struct program *p)
{
	for (;;) {
		if (m->awaited >= 0 && !m->walk[m->awaited].done)
			return CYCLE_WAIT;
		m->awaited = -1;
		if (m->next == p->n)
			return unfinished(m) ? CYCLE_WAIT : CYCLE_END;
		if (p->op[m->next].position == m->position) {
			if (perform(m, &p->op[m->next]) == TRY_NO_PLACE)
				return CYCLE_WAIT_FOR_PLACE;
			m->next++;
			continue;
		}
		if (m->worked < (m->position + 1) * m->config->cpi_permille / 1000)
			return CYCLE_WORK;
		if (window_full(m))
			return CYCLE_WAIT;
		m->position++;
	}
}

static struct outcome naive_run(const struct walkers_config *config, const struct program *p)
{
	struct naive m = { .config = config, .awaited = -1 };

	for (;;) {
		const enum cycle cycle = core_cycle(&m, p);
		bool active = false;

		if (cycle == CYCLE_END)
			return m.out;
		m.worked += cycle == CYCLE_WORK;
		m.out.stall += cycle != CYCLE_WORK;
		m.out.stall_walkers += cycle == CYCLE_WAIT_FOR_PLACE;
		for (unsigned i = 0; i < m.n; i++) {
			struct naive_walk *walk = &m.walk[i];

			m.out.queue += !walk->runs;
			active |= walk->runs && !walk->done;
			if (walk->runs && !walk->done && --walk->left == 0)
				walk->done = true;
		}
		m.out.active += active;
		dispatch(&m);
	}
}

/* ---- the engine ----------------------------------------------------------------------------- */

static struct outcome engine_run(const struct walkers_config *config, const struct program *p,
				 uint32_t vcpu)
{
	struct stats stats = { 0 };
	struct walkers *walkers = walkers_create(config, &stats);
	const uint64_t *v = stats.v;
	uint64_t position = 0, space = 0;

	assert_non_null(walkers);
	for (unsigned i = 0; i < p->n; i++) {
		const struct op *op = &p->op[i];
		const bool fetch = op->kind == OP_FETCH_WALK || op->kind == OP_FETCH_TOUCH;
		const struct walkers_walk walk = { .stream = fetch ? MMU_FETCH : MMU_DATA,
						   .first = op->page * PAGE,
						   .last = op->page * PAGE + PAGE - 1,
						   .cycles = op->cycles };

		walkers_reach(walkers, vcpu, op->position - position);
		position = op->position;
		if (op->kind == OP_SPACE)
			walkers_run(walkers, vcpu, ++space);
		else if (op->kind == OP_DATA_WALK || op->kind == OP_FETCH_WALK)
			walkers_walk(walkers, vcpu, &walk);
		if (op->kind != OP_SPACE)
			walkers_touch(walkers, vcpu, walk.stream, walk.first + i);
	}
	walkers_drain(walkers);
	walkers_destroy(walkers);
	return (struct outcome){ .stall = v[STAT_stall_cycles],
				 .stall_walkers = v[STAT_stall_walkers_cycles],
				 .queue = v[STAT_walk_queue_cycles],
				 .active = v[STAT_walk_active_cycles],
				 .merged = v[STAT_walks_merged],
				 .repeated = v[STAT_walks_repeated],
				 .repeat_cycles = v[STAT_walk_repeat_cycles] };
}

/* ---- programs ------------------------------------------------------------------------------- */

static struct program random_program(struct rng *rng, bool fetches)
{
	const uint64_t spread = 1 + pick(rng, 30), longest = 1 + pick(rng, 90);
	struct program p = { .n = 1 + pick(rng, OPS_MAX) };
	uint64_t position = 0;

	for (unsigned i = 0; i < p.n; i++) {
		const unsigned draw = pick(rng, 20);

		position += chance(rng, 1, 3) ? 0 : rng_below(rng, spread);
		p.op[i] = (struct op){ .kind = draw < 9	    ? OP_DATA_WALK
					       : draw < 16  ? OP_DATA_TOUCH
					       : draw == 16 ? OP_SPACE
					       : draw == 17 ? OP_FETCH_TOUCH
							    : OP_FETCH_WALK,
				       .position = position,
				       .page = rng_below(rng, 8),
				       .cycles = 1 + rng_below(rng, longest) };
		if (!fetches && draw >= 17)
			p.op[i].kind = OP_DATA_WALK;
	}
	return p;
}

static struct walkers_config random_config(struct rng *rng)
{
	static const uint64_t cpi[] = { 0, 1, 250, 333, 1000, 1700, 6000 };

	return (struct walkers_config){ .vcpus = 3,
					.count = 1 + pick(rng, 5),
					.queue = chance(rng, 1, 3) ? 0 : pick(rng, 4),
					.merge = chance(rng, 1, 2) ? WALKERS_MERGE : WALKERS_REPEAT,
					.window_instructions = 1 + rng_below(rng, 60),
					.cpi_permille = cpi[pick(rng, 7)] };
}

static uint64_t walk_cycles(const struct program *p)
{
	uint64_t cycles = 0;

	for (unsigned i = 0; i < p->n; i++)
		if (p->op[i].kind == OP_DATA_WALK || p->op[i].kind == OP_FETCH_WALK)
			cycles += p->op[i].cycles;
	return cycles;
}

static bool is_long(void)
{
	return getenv("TWOSTAGE_LONG") && *getenv("TWOSTAGE_LONG");
}

static void same(unsigned round, const char *what, uint64_t engine, uint64_t naive)
{
	if (engine != naive)
		fail_msg("program %u: %s: engine %llu, naive %llu", round, what,
			 (unsigned long long)engine, (unsigned long long)naive);
}

static void cycle_by_cycle(void **state)
{
	const unsigned rounds = is_long() ? 400000 : 8000;
	struct rng rng = rng_seed(41);
	struct outcome seen = { 0 };

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		const struct walkers_config config = random_config(&rng);
		const struct program p = random_program(&rng, true);
		const struct outcome naive = naive_run(&config, &p);
		const struct outcome engine = engine_run(&config, &p, pick(&rng, 3));

		same(i, "stall_cycles", engine.stall, naive.stall);
		same(i, "stall_walkers_cycles", engine.stall_walkers, naive.stall_walkers);
		same(i, "walk_queue_cycles", engine.queue, naive.queue);
		same(i, "walk_active_cycles", engine.active, naive.active);
		same(i, "walks_merged", engine.merged, naive.merged);
		same(i, "walks_repeated", engine.repeated, naive.repeated);
		same(i, "walk_repeat_cycles", engine.repeat_cycles, naive.repeat_cycles);
		assert_true(engine.stall_walkers <= engine.stall);
		assert_true(engine.stall <= engine.active);
		assert_true(engine.active <= walk_cycles(&p) + engine.repeat_cycles);
		seen.stall_walkers += engine.stall_walkers;
		seen.queue += engine.queue;
		seen.merged += engine.merged;
		seen.repeated += engine.repeated;
	}
	assert_true(seen.stall_walkers && seen.queue && seen.merged && seen.repeated);
}

/* The core that waits for each walk has one at a time, however many walkers there are. */
static void no_window(void **state)
{
	struct rng rng = rng_seed(42);

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct walkers_config config = random_config(&rng);
		const struct program p = random_program(&rng, true);
		struct outcome out;

		config.window_instructions = 0;
		out = engine_run(&config, &p, 0);
		same(i, "stall_cycles", out.stall, walk_cycles(&p));
		same(i, "walk_active_cycles", out.active, walk_cycles(&p));
		assert_int_equal(out.queue + out.merged + out.repeated + out.stall_walkers, 0);
	}
}

/* More of anything never makes the core wait longer, as long as no walk is repeated. */
static void more_is_no_slower(void **state)
{
	struct rng rng = rng_seed(43);

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		struct walkers_config config = random_config(&rng);
		const struct program p = random_program(&rng, true);
		struct outcome before, after;

		config.merge = WALKERS_MERGE;
		before = engine_run(&config, &p, 0);
		switch (pick(&rng, 3)) {
		case 0:
			config.count += 1 + pick(&rng, 3);
			break;
		case 1:
			config.queue += 1 + pick(&rng, 3);
			break;
		default:
			config.window_instructions += 1 + pick(&rng, 20);
		}
		after = engine_run(&config, &p, 0);
		assert_true(after.stall <= before.stall);
	}
}

/* With a walker for each walk and no end of the window only the last instructions wait. */
static void everything_overlaps(void **state)
{
	struct rng rng = rng_seed(44);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		const struct walkers_config config = { .vcpus = 1,
						       .count = OPS_MAX,
						       .window_instructions = 1 << 20,
						       .cpi_permille = 1000 };
		const struct program p = random_program(&rng, false);
		const struct outcome out = engine_run(&config, &p, 0);
		const uint64_t end = p.op[p.n - 1].position;
		uint64_t last = end;

		for (unsigned k = 0; k < p.n; k++)
			if (p.op[k].kind == OP_DATA_WALK &&
			    p.op[k].position + p.op[k].cycles > last)
				last = p.op[k].position + p.op[k].cycles;
		same(i, "stall_cycles", out.stall, last - end);
		assert_int_equal(out.queue + out.stall_walkers, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cycle_by_cycle),
		cmocka_unit_test(no_window),
		cmocka_unit_test(more_is_no_slower),
		cmocka_unit_test(everything_overlaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
