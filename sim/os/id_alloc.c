/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/id_alloc.h"

#include <stdlib.h>

enum { BITS_MAX = 16, WORD_BITS = 64 };

/* The first generation; also the number of indices, of which 0 is never given out. */
static uint64_t first_generation(const struct id_alloc *ids)
{
	return UINT64_C(1) << ids->bits;
}

/* VMID_ACTIVE_INVALID: not 0, so that the fast path stays open, and no id, since its index is 0. */
static uint64_t active_invalid(const struct id_alloc *ids)
{
	return first_generation(ids);
}

bool id_alloc_init(struct id_alloc *ids, unsigned bits, uint32_t cpus, enum id_flush flush)
{
	if (bits == 0 || bits > BITS_MAX || cpus == 0 || (UINT64_C(1) << bits) - 1 <= cpus)
		return false;
	*ids = (struct id_alloc){ .bits = bits, .flush = flush, .cpus = cpus, .cursor = 1 };
	ids->generation = first_generation(ids);
	ids->cpu = calloc(cpus, sizeof(*ids->cpu));
	ids->map = calloc((first_generation(ids) + WORD_BITS - 1) / WORD_BITS, sizeof(*ids->map));
	if (!ids->cpu || !ids->map) {
		id_alloc_fini(ids);
		return false;
	}
	return true;
}

void id_alloc_fini(struct id_alloc *ids)
{
	free(ids->cpu);
	free(ids->map);
	ids->cpu = NULL;
	ids->map = NULL;
}

/* True if it was free. */
static bool take_index(struct id_alloc *ids, uint64_t index)
{
	uint64_t *word = &ids->map[index / WORD_BITS];
	const uint64_t bit = UINT64_C(1) << index % WORD_BITS;
	const bool was_free = !(*word & bit);

	*word |= bit;
	return was_free;
}

/* The first free index not below `from`, or the number of indices. */
static uint64_t next_free(const struct id_alloc *ids, uint64_t from)
{
	const uint64_t end = first_generation(ids);

	for (uint64_t at = from; at < end;) {
		const uint64_t unused = ~ids->map[at / WORD_BITS] >> at % WORD_BITS;

		if (unused) {
			at += (unsigned)__builtin_ctzll(unused);
			return at < end ? at : end;
		}
		at = (at / WORD_BITS + 1) * WORD_BITS;
	}
	return end;
}

/*
 * flush_context(): of the old generation only what runs is kept. A CPU that has not entered since
 * the rollover before this one (active 0) keeps what it ran then.
 */
static void roll_over(struct id_alloc *ids)
{
	ids->generation += first_generation(ids);
	ids->rollovers++;
	for (uint64_t i = 0; i < (first_generation(ids) + WORD_BITS - 1) / WORD_BITS; i++)
		ids->map[i] = 0;
	for (uint32_t i = 0; i < ids->cpus; i++) {
		struct id_cpu *cpu = &ids->cpu[i];

		if (cpu->active != 0)
			cpu->reserved = cpu->active;
		cpu->active = 0;
		cpu->flush_pending = true;
		take_index(ids, id_alloc_index(ids, cpu->reserved));
	}
}

/* check_update_reserved_vmid(): all CPUs, since several may have run the same VM. */
static bool renew_reserved(struct id_alloc *ids, uint64_t old, uint64_t renewed)
{
	bool hit = false;

	for (uint32_t i = 0; i < ids->cpus; i++) {
		if (ids->cpu[i].reserved != old)
			continue;
		ids->cpu[i].reserved = renewed;
		hit = true;
	}
	return hit;
}

/* new_vmid(), new_context(). */
static uint64_t allocate(struct id_alloc *ids, uint64_t old)
{
	const uint64_t same_index = ids->generation | id_alloc_index(ids, old);
	uint64_t index;

	ids->allocations++;
	if (old != 0 &&
	    (renew_reserved(ids, old, same_index) || take_index(ids, id_alloc_index(ids, old))))
		return same_index;
	index = next_free(ids, ids->cursor);
	if (index == first_generation(ids)) {
		roll_over(ids);
		index = next_free(ids, 1); /* exists: more indices than CPUs */
	}
	take_index(ids, index);
	ids->cursor = (uint32_t)index;
	return ids->generation | index;
}

static bool is_current(const struct id_alloc *ids, uint64_t id)
{
	return (id ^ ids->generation) >> ids->bits == 0;
}

bool id_alloc_enter(struct id_alloc *ids, uint32_t cpu, uint64_t *id)
{
	struct id_cpu *self = &ids->cpu[cpu];
	const uint64_t rollovers = ids->rollovers;
	bool flush;

	/* The fast path; the kernel takes no lock here. */
	if (self->active != 0 && is_current(ids, *id)) {
		self->active = *id;
		return false;
	}
	if (!is_current(ids, *id))
		*id = allocate(ids, *id);
	flush = ids->flush == ID_FLUSH_ALL ? ids->rollovers != rollovers : self->flush_pending;
	self->flush_pending = false;
	self->active = *id;
	return flush;
}

void id_alloc_leave(struct id_alloc *ids, uint32_t cpu)
{
	ids->cpu[cpu].active = active_invalid(ids);
}
