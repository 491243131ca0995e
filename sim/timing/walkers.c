/* SPDX-License-Identifier: BSD-2-Clause */
#include "timing/walkers.h"

#include <stdlib.h>

/* Under way, or waiting for a walker. */
struct walk {
	uint64_t position; /* the instruction whose access made it */
	uint64_t end;	   /* the cycle in which it is done */
	uint64_t cycles;
	uint64_t first, last; /* VAs of its page; first > last: nobody joins it */
};

struct core {
	uint64_t position;     /* instructions begun */
	uint64_t waited;       /* cycles, for walks */
	uint64_t active_until; /* walks were under way until then */
	uint64_t *free_at;     /* by walker: when it has done all that was given to it */
	struct walk *walks;    /* in their order */
	uint32_t n_walks;
	uint64_t space;
	bool walked; /* the access at hand made one */
};

struct walkers {
	struct walkers_config config;
	uint32_t places; /* of walks under way or waiting, on each vCPU */
	uint64_t *v;	 /* statistics */
	struct core *cores;
};

static bool core_init(struct core *core, const struct walkers *walkers)
{
	core->free_at = calloc(walkers->config.count, sizeof(*core->free_at));
	core->walks = calloc(walkers->places, sizeof(*core->walks));
	return core->free_at && core->walks;
}

struct walkers *walkers_create(const struct walkers_config *config, struct stats *stats)
{
	struct walkers *walkers = calloc(1, sizeof(*walkers));
	bool done;

	if (!walkers)
		return NULL;
	walkers->config = *config;
	walkers->places = config->count + config->queue;
	walkers->v = stats->v;
	walkers->cores = calloc(config->vcpus, sizeof(*walkers->cores));
	done = walkers->cores;
	for (uint32_t i = 0; done && i < config->vcpus; i++)
		done = core_init(&walkers->cores[i], walkers);
	if (done)
		return walkers;
	walkers_destroy(walkers);
	return NULL;
}

void walkers_destroy(struct walkers *walkers)
{
	if (!walkers)
		return;
	for (uint32_t i = 0; walkers->cores && i < walkers->config.vcpus; i++) {
		free(walkers->cores[i].free_at);
		free(walkers->cores[i].walks);
	}
	free(walkers->cores);
	free(walkers);
}

static void hear(void *ctx, const struct mmu_request *request, unsigned size_bits, uint64_t cycles)
{
	const uint64_t first = request->va.v & ~low_mask(size_bits);
	const struct walkers_walk walk = {
		.stream = request->kind == ACCESS_FETCH ? MMU_FETCH : MMU_DATA,
		.first = first,
		.last = first | low_mask(size_bits),
		.cycles = cycles,
	};

	walkers_walk(ctx, request->vcpu, &walk);
}

void walkers_attach(struct walkers *walkers, struct mmu *mmu)
{
	mmu->walk_timed = hear;
	mmu->walk_timed_ctx = walkers;
}

/* The cycle in which the core begins an instruction, unless it has to wait first. */
static uint64_t cycle_of(const struct walkers *walkers, const struct core *core, uint64_t position)
{
	return position * walkers->config.cpi_permille / 1000 + core->waited;
}

static uint64_t now(const struct walkers *walkers, const struct core *core)
{
	return cycle_of(walkers, core, core->position);
}

/* Before it begins an instruction, the core waits. Returns for how long. */
static uint64_t wait_at(struct walkers *walkers, struct core *core, uint64_t position,
			uint64_t until)
{
	const uint64_t cycle = cycle_of(walkers, core, position);
	const uint64_t cycles = until > cycle ? until - cycle : 0;

	core->waited += cycles;
	walkers->v[STAT_stall_cycles] += cycles;
	return cycles;
}

static void drop_ended(const struct walkers *walkers, struct core *core)
{
	const uint64_t cycle = now(walkers, core);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < core->n_walks; i++)
		if (core->walks[i].end > cycle)
			core->walks[kept++] = core->walks[i];
	core->n_walks = kept;
}

/* On the way to where the core is now it met the end of its window, once for each old walk. */
static void pass_windows(struct walkers *walkers, struct core *core)
{
	const uint64_t window = walkers->config.window_instructions;

	for (uint32_t i = 0; i < core->n_walks; i++) {
		const struct walk *walk = &core->walks[i];

		if (walk->position + window > core->position)
			break;
		wait_at(walkers, core, walk->position + window, walk->end);
	}
	drop_ended(walkers, core);
}

void walkers_reach(struct walkers *walkers, uint32_t vcpu, uint64_t instructions)
{
	struct core *core = &walkers->cores[vcpu];

	core->position += instructions;
	core->walked = false;
	if (core->n_walks)
		pass_windows(walkers, core);
}

/* Waits until a walk may at least wait for a walker. */
static void find_place(struct walkers *walkers, struct core *core)
{
	uint64_t first = UINT64_MAX;

	drop_ended(walkers, core);
	if (core->n_walks < walkers->places)
		return;
	for (uint32_t i = 0; i < core->n_walks; i++)
		first = core->walks[i].end < first ? core->walks[i].end : first;
	walkers->v[STAT_stall_walkers_cycles] += wait_at(walkers, core, core->position, first);
	drop_ended(walkers, core);
}

/* Gives a walk to the walker that is free first. Returns when it ends. */
static uint64_t start(struct walkers *walkers, struct core *core, uint64_t cycles)
{
	const uint64_t cycle = now(walkers, core);
	uint64_t *walker = core->free_at;
	uint64_t begin;

	for (uint32_t i = 1; i < walkers->config.count; i++)
		walker = core->free_at[i] < *walker ? &core->free_at[i] : walker;
	begin = *walker > cycle ? *walker : cycle;
	*walker = begin + cycles;
	walkers->v[STAT_walk_queue_cycles] += begin - cycle;
	/* Walks begin in their order, so what was active before `begin` is counted. */
	begin = core->active_until > begin ? core->active_until : begin;
	if (*walker > begin) {
		walkers->v[STAT_walk_active_cycles] += *walker - begin;
		core->active_until = *walker;
	}
	return *walker;
}

/* Nobody joins older walks of these pages any more: what they find may be gone already. */
static void supersede(struct core *core, uint64_t first, uint64_t last)
{
	for (uint32_t i = 0; i < core->n_walks; i++) {
		struct walk *walk = &core->walks[i];

		if (walk->first <= last && first <= walk->last) {
			walk->first = 1;
			walk->last = 0;
		}
	}
}

void walkers_walk(struct walkers *walkers, uint32_t vcpu, const struct walkers_walk *walk)
{
	struct core *core = &walkers->cores[vcpu];
	uint64_t end;

	core->walked = true;
	find_place(walkers, core);
	end = start(walkers, core, walk->cycles);
	if (walk->stream == MMU_FETCH || !walkers->config.window_instructions) {
		wait_at(walkers, core, core->position, end);
		return;
	}
	supersede(core, walk->first, walk->last);
	core->walks[core->n_walks++] = (struct walk){
		.position = core->position,
		.end = end,
		.cycles = walk->cycles,
		.first = walk->first,
		.last = walk->last,
	};
}

/* The walk of a page that is not done; NULL: none. */
static const struct walk *walk_of(const struct walkers *walkers, const struct core *core,
				  uint64_t va)
{
	const uint64_t cycle = now(walkers, core);

	for (uint32_t i = 0; i < core->n_walks; i++) {
		const struct walk *walk = &core->walks[i];

		if (walk->first <= va && va <= walk->last && walk->end > cycle)
			return walk;
	}
	return NULL;
}

/* A walk to a page, again, unless the first one ends before this one finds a place. */
static void repeat(struct walkers *walkers, struct core *core, const struct walk *walk)
{
	struct walk own = { .position = core->position, .cycles = walk->cycles, .first = 1 };
	const uint64_t end = walk->end;

	find_place(walkers, core);
	if (end <= now(walkers, core))
		return;
	own.end = start(walkers, core, own.cycles);
	core->walks[core->n_walks++] = own;
	walkers->v[STAT_walks_repeated]++;
	walkers->v[STAT_walk_repeat_cycles] += own.cycles;
}

void walkers_touch(struct walkers *walkers, uint32_t vcpu, enum mmu_stream stream, uint64_t va)
{
	struct core *core = &walkers->cores[vcpu];
	const struct walk *walk = core->walked ? NULL : walk_of(walkers, core, va);
	uint64_t end;

	if (!walk)
		return;
	end = walk->end;
	if (walkers->config.merge == WALKERS_REPEAT)
		repeat(walkers, core, walk);
	else
		walkers->v[STAT_walks_merged]++;
	if (stream == MMU_FETCH)
		wait_at(walkers, core, core->position, end);
}

bool walkers_busy(const struct walkers *walkers, uint32_t vcpu)
{
	return walkers->cores[vcpu].n_walks;
}

void walkers_run(struct walkers *walkers, uint32_t vcpu, uint64_t space)
{
	struct core *core = &walkers->cores[vcpu];

	if (core->space == space)
		return;
	core->space = space;
	supersede(core, 0, UINT64_MAX);
}

void walkers_drain(struct walkers *walkers)
{
	for (uint32_t vcpu = 0; vcpu < walkers->config.vcpus; vcpu++) {
		struct core *core = &walkers->cores[vcpu];

		for (uint32_t i = 0; i < core->n_walks; i++)
			wait_at(walkers, core, core->position, core->walks[i].end);
		core->n_walks = 0;
	}
}
