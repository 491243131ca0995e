/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/map_follow.h"

#include <string.h>

struct follower {
	const struct miss_stream *stream;
	const struct map_log *map;
	struct phys_mem *mem;
	struct mmu mmu;
	struct mmu_space *space; /* by index of the stream */
	uint32_t miss;
	uint64_t change;  /* the next miss before which there is something to do */
	size_t op, enter; /* of the log, the next ones */
	bool parted;
};

/* Changes and TLBIs up to the next mark. */
static void apply(struct follower *f)
{
	for (; f->op < f->map->ops; f->op++) {
		const struct map_op *op = &f->map->op[f->op];
		const pa_t pa = pa_of(op->word & ~UINT64_C(7));

		switch (map_op_kind(op)) {
		case MAP_WRITE:
			f->parted = !phys_write64(f->mem, pa, op->value) || f->parted;
			break;
		case MAP_FREE:
			phys_free_page(f->mem, pa);
			break;
		case MAP_TLBI:
			mmu_invalidate_again(&f->mmu, &f->map->tlbi[op->value]);
			break;
		case MAP_AT:
		case MAP_FAULT:
		case MAP_DONE:
			return;
		}
	}
}

/* A walk took a fault: is it the next one of the log? Then what became of it. */
static enum mmu_fault_result take(struct follower *f, const struct fault *fault)
{
	const struct map_op own = map_fault_op(f->miss, fault);
	const struct map_op *next = &f->map->op[f->op];

	if (f->op == f->map->ops || next->word != own.word || next->value != own.value)
		return MMU_FAULT_FAILED;
	f->op++;
	apply(f);
	f->op++;
	return MMU_FAULT_HANDLED;
}

static enum mmu_fault_result s1_fault(void *ctx, const struct mmu_request *request,
				      const struct fault *fault)
{
	(void)request;
	return take(ctx, fault);
}

static enum mmu_fault_result s2_fault(void *ctx, const struct mmu_request *request, ipa_t ipa,
				      const struct fault *fault)
{
	(void)request;
	(void)ipa;
	return take(ctx, fault);
}

/* What was done before the walks of the miss. */
static void catch_up(struct follower *f, uint64_t miss)
{
	const struct map_log *map = f->map;

	while (f->op < map->ops && map_op_kind(&map->op[f->op]) == MAP_AT &&
	       map->op[f->op].value <= miss) {
		f->op++;
		apply(f);
	}
	for (; f->enter < map->spaces && map->space[f->enter].from <= miss; f->enter++) {
		const struct map_space *space = &map->space[f->enter];

		f->space[space->index] =
			(struct mmu_space){ .regime = &space->regime, .context = space->context };
	}
}

/* The next miss before which there is something to do. */
static uint64_t next_change(const struct follower *f)
{
	const struct map_log *map = f->map;
	const uint64_t enter = f->enter < map->spaces ? map->space[f->enter].from : UINT64_MAX;
	const struct map_op *op = &map->op[f->op];

	if (f->op < map->ops && map_op_kind(op) == MAP_AT && op->value < enter)
		return op->value;
	return enter;
}

static bool is_faulting(const struct follower *f)
{
	return f->op < f->map->ops && map_op_kind(&f->map->op[f->op]) == MAP_FAULT &&
	       f->map->op[f->op].word >> 32 == f->miss;
}

/* Through the whole hierarchy. */
static bool walk(struct follower *f, struct tlb *l1, const struct miss_kind *kind,
		 const struct mmu_request *request)
{
	uint32_t slot;

	/* Its one entry may be an older one than that of the miss before. */
	if (l1->used)
		tlb_drop(l1, 0);
	slot = mmu_access(&f->mmu, kind->vcpu, request);
	f->change = next_change(f);
	return slot != TLB_NONE && !is_faulting(f) && miss_filled(&kind->fill, &l1->leaf[slot]);
}

/* One miss; does it fill the same entry, after the same faults? */
static bool make(struct follower *f)
{
	const struct miss_kind *kind = miss_kind(f->stream, f->miss);
	const struct mmu_request request = {
		.space = &f->space[kind->space],
		.va = va_of(va_sign_extend(f->stream->miss[f->miss].va)),
		.kind = kind->fetch ? ACCESS_FETCH : ACCESS_LOAD,
		.known_ipa = miss_ipa(f->stream, f->miss),
	};
	struct tlb *l1 = mmu_l1(&f->mmu, kind->vcpu, kind->fetch ? MMU_FETCH : MMU_DATA);
	const struct tlb_leaf *answer = mmu_l2_answer(&f->mmu, kind->vcpu, &request);

	return answer ? miss_fills(&kind->fill, l1, answer) : walk(f, l1, kind, &request);
}

static bool make_all(struct follower *f)
{
	const struct miss_stream *stream = f->stream;
	struct miss_ahead ahead = { .n = 0 };

	for (f->miss = 0; f->miss < stream->misses && !f->parted; f->miss++) {
		if (f->miss >= f->change) {
			catch_up(f, f->miss);
			f->change = next_change(f);
		}
		miss_stream_look_ahead(stream, f->miss, &f->mmu, &ahead);
		if (!make(f))
			return false;
	}
	catch_up(f, UINT64_MAX);
	return !f->parted && f->op == f->map->ops;
}

/* L1 TLBs of one entry miss wherever those of the recording did. */
static struct mmu_shape narrow(const struct mmu_shape *shape)
{
	struct mmu_shape one = *shape;

	one.l1i.sets = one.l1i.ways = 1;
	one.l1d.sets = one.l1d.ways = 1;
	return one;
}

/* Was a word written that the log does not know, by the walker? */
static void written(void *ctx, enum phys_change change, pa_t pa, uint64_t value)
{
	struct follower *f = ctx;
	const struct map_op *op = &f->map->op[f->op];

	f->parted =
		f->parted || f->op == f->map->ops ||
		(change == PHYS_WRITTEN && (op->word != (pa.v | MAP_WRITE) || op->value != value));
}

bool map_follow(const struct mmu_shape *shape, const struct miss_stream *stream,
		const struct map_log *map, struct recorder *record, struct stats *stats)
{
	const struct mmu_os os = { NULL, s1_fault, s2_fault };
	const struct mmu_shape one = narrow(shape);
	struct follower f = { .stream = stream, .map = map };
	bool done = false;

	f.mem = phys_create();
	f.space = calloc(stream->spaces.words + 1, sizeof(*f.space));
	if (f.mem && f.space && mmu_init(&f.mmu, &one, f.mem, &os)) {
		f.mmu.os.ctx = &f;
		f.mem->watch = (struct phys_watch){ written, &f };
		recorder_attach_walks(record, &f.mmu);
		done = make_all(&f);
		recorder_detach_walks(record, &f.mmu);
		mmu_count(&f.mmu, stats);
		mmu_fini(&f.mmu);
	}
	phys_destroy(f.mem);
	free(f.space);
	return done;
}
