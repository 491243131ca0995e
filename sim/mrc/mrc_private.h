/* SPDX-License-Identifier: BSD-2-Clause */
/* Between mrc.c, mrc_contexts.c and mrc_event.c. */
#ifndef TWOSTAGE_MRC_MRC_PRIVATE_H
#define TWOSTAGE_MRC_MRC_PRIVATE_H

#include "mmu/lru_stack.h"
#include "mrc/mrc.h"

/* A key of a page: its number in the low bits (those of a VA without the top byte), above it the
 * number of its context. */
enum { MRC_NUMBER_BITS = 56 - MRC_PAGE_BITS_MIN, MRC_MAX_CONTEXTS = 1 << 20 };

/* What tags an entry. */
struct mrc_context {
	uint16_t vm, asid;
	bool global;
};

struct mrc_contexts {
	struct mrc_context *context; /* in the order in which they came */
	uint32_t *sorted;	     /* their numbers, by tag */
	uint32_t count, room;
};

/* The number of a context; UINT32_MAX: no memory, or too many of them. */
uint32_t mrc_context_number(struct mrc_contexts *contexts, struct mrc_context context);
void mrc_contexts_fini(struct mrc_contexts *contexts);

/* Where a key of the block is in the stacks of one page size. */
struct mrc_place {
	uint32_t stack, page; /* stack UINT32_MAX: the stream is not wanted */
};

struct mrc_pass {
	const struct mrc_setup *setup;
	uint32_t vcpus, vms;
	/* [page size][vCPU][stream]; those of a stream that is not wanted stay empty. */
	struct lru_stack *stack;
	struct mrc_contexts contexts;
	uint32_t *context;	 /* of each key of the block */
	struct mrc_place *place; /* of each key of the block, for the page size at hand */
	struct diag *diag;
};

static inline size_t mrc_stacks(const struct mrc_pass *pass)
{
	return pass->setup->page_sizes * pass->vcpus * 2;
}

/* mrc_event.c: what an event does to the stacks of page size `size`. */
enum exit_status mrc_event(struct mrc_pass *pass, size_t size, const struct trace_event *event);

#endif
