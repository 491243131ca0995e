/* SPDX-License-Identifier: BSD-2-Clause */
#include "mrc/mrc.h"

#include <stdlib.h>
#include <string.h>

#include "mrc/mrc_private.h"

enum {
	PREFETCH_TIME = 16, /* records ahead */
	PREFETCH_BITS = 8,
	LARGE_PAGES = 1 << 14,
};

static enum exit_status no_memory(struct mrc_pass *pass)
{
	return diag_set(pass->diag, STATUS_INTERNAL, "out of memory");
}

static void pass_fini(struct mrc_pass *pass)
{
	for (size_t i = 0; pass->stack && i < mrc_stacks(pass); i++)
		lru_stack_fini(&pass->stack[i]);
	free(pass->stack);
	free(pass->context);
	free(pass->place);
	mrc_contexts_fini(&pass->contexts);
}

static enum exit_status pass_init(struct mrc_pass *pass, const struct mrc_setup *setup,
				  const struct trace_info *info, struct diag *diag)
{
	memset(pass, 0, sizeof(*pass));
	pass->setup = setup;
	pass->vcpus = info->vcpus ? info->vcpus : 1;
	pass->vms = info->vms ? info->vms : 1;
	pass->diag = diag;
	pass->stack = calloc(mrc_stacks(pass), sizeof(*pass->stack));
	pass->context = calloc(TRACE_BLOCK_RECORDS, sizeof(*pass->context));
	pass->place = calloc(TRACE_BLOCK_RECORDS, sizeof(*pass->place));
	return pass->stack && pass->context && pass->place ? STATUS_OK : no_memory(pass);
}

/* The contexts of the block's keys. */
static enum exit_status name_contexts(struct mrc_pass *pass, const struct trace_block *block)
{
	for (uint32_t i = 0; i < block->n_keys; i++) {
		const struct trace_key *key = &block->keys[i];
		const bool global = key->va >> 55 & 1;
		const struct mrc_context context = {
			.vm = key->vm,
			.asid = global ? 0 : key->asid,
			.global = global,
		};

		if (key->vcpu >= pass->vcpus || key->vm >= pass->vms)
			return diag_set(pass->diag, STATUS_BAD_INPUT,
					"a record names vCPU %u of VM %u, but the trace says that "
					"it has %u vCPUs and %u VMs",
					key->vcpu, key->vm, pass->vcpus, pass->vms);
		pass->context[i] = mrc_context_number(&pass->contexts, context);
		if (pass->context[i] == UINT32_MAX)
			return diag_set(pass->diag, STATUS_INTERNAL,
					"no room for more than %u address spaces",
					pass->contexts.count);
	}
	return STATUS_OK;
}

static uint32_t stack_of(const struct mrc_pass *pass, size_t size, const struct trace_key *key)
{
	return (uint32_t)((size * pass->vcpus + key->vcpu) * 2 + key->stream);
}

/* The page of key `index` of the block. */
static uint64_t page_key(const struct mrc_pass *pass, size_t size, const struct trace_block *block,
			 uint32_t index)
{
	const uint64_t va = block->keys[index].va & low_mask(56);

	return (uint64_t)pass->context[index] << MRC_NUMBER_BITS |
	       va >> pass->setup->page_bits[size];
}

static void prefetch_name(const struct mrc_pass *pass, size_t size, const struct trace_block *block,
			  uint32_t index)
{
	const struct lru_stack *stack;

	if (index >= block->n_keys)
		return;
	stack = &pass->stack[stack_of(pass, size, &block->keys[index])];
	if (stack->max_pages)
		lru_stack_prefetch_name(stack, page_key(pass, size, block, index));
}

/* The places of the block's keys, for one page size. */
static enum exit_status name_pages(struct mrc_pass *pass, size_t size,
				   const struct trace_block *block)
{
	for (uint32_t i = 0; i < block->n_keys; i++) {
		const struct trace_key *key = &block->keys[i];
		struct mrc_place *place = &pass->place[i];
		struct lru_stack *stack;

		prefetch_name(pass, size, block, i + PREFETCH_TIME);
		place->stack = UINT32_MAX;
		if (!pass->setup->stream[key->stream])
			continue;
		place->stack = stack_of(pass, size, key);
		stack = &pass->stack[place->stack];
		if (!stack->max_pages && !lru_stack_init(stack))
			return no_memory(pass);
		place->page = lru_stack_name(stack, page_key(pass, size, block, i));
		if (place->page == LRU_STACK_NONE)
			return no_memory(pass);
	}
	return STATUS_OK;
}

static inline void prefetch(const struct mrc_pass *pass, struct mrc_place place,
			    enum lru_stack_step step)
{
	if (place.stack != UINT32_MAX)
		lru_stack_prefetch(&pass->stack[place.stack], place.page, step);
}

/* Do the stacks of a page size exceed a host's caches? */
static bool is_large(const struct mrc_pass *pass, size_t size)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < (size_t)pass->vcpus * 2; i++)
		pages += pass->stack[size * pass->vcpus * 2 + i].pages;
	return pages >= LARGE_PAGES;
}

static void use_records(struct mrc_pass *pass, size_t size, const struct trace_block *block,
			uint32_t first, uint32_t end)
{
	const bool large = is_large(pass, size);

	for (uint32_t i = first; i < end; i++) {
		const struct mrc_place place = pass->place[block->key[i]];

		if (large && i + PREFETCH_TIME < end) {
			prefetch(pass, pass->place[block->key[i + PREFETCH_TIME]], LRU_STACK_TIME);
			prefetch(pass, pass->place[block->key[i + PREFETCH_BITS]], LRU_STACK_BITS);
		}
		if (place.stack != UINT32_MAX)
			lru_stack_access(&pass->stack[place.stack], place.page);
	}
}

static enum exit_status use_block(struct mrc_pass *pass, const struct trace_block *block)
{
	enum exit_status status = name_contexts(pass, block);

	for (size_t size = 0; size < pass->setup->page_sizes && status == STATUS_OK; size++) {
		uint32_t done = 0;

		status = name_pages(pass, size, block);
		for (uint32_t e = 0; e < block->n_events && status == STATUS_OK; e++) {
			use_records(pass, size, block, done, block->events[e].before);
			done = block->events[e].before;
			status = mrc_event(pass, size, &block->events[e]);
		}
		if (status == STATUS_OK)
			use_records(pass, size, block, done, block->n_records);
	}
	return status;
}

static enum exit_status use_trace(struct mrc_pass *pass, const struct trace_reader *trace,
				  const struct point_progress *progress)
{
	const struct trace_info *info = trace_info(trace);
	const uint64_t all = trace_accesses(&info->totals);
	struct trace_block block = { 0 };
	enum exit_status status = STATUS_OK;
	uint64_t done = 0;

	for (uint64_t b = 0; b < info->blocks && status == STATUS_OK; b++) {
		status = trace_read_block(trace, b, COLUMN_KEY, &block, pass->diag);
		if (status == STATUS_OK)
			status = use_block(pass, &block);
		done += trace_accesses(&block.totals);
		if (status == STATUS_OK && progress && progress->step(progress->ctx, done, all))
			status = diag_set(pass->diag, STATUS_INTERRUPTED, "interrupted");
	}
	trace_block_free(&block);
	return status;
}

/* Join the stacks of all vCPUs, and sum up from the largest size down. */
static bool make_curve(const struct mrc_pass *pass, size_t size, struct mrc_curve *curve)
{
	const struct lru_stack *first = &pass->stack[size * pass->vcpus * 2 + curve->stream];

	curve->page_bits = pass->setup->page_bits[size];
	for (uint32_t v = 0; v < pass->vcpus; v++) {
		const struct lru_stack *stack = &first[(size_t)v * 2];
		size_t depth = stack->max_pages;

		while (depth && !stack->reuses[depth])
			depth--;
		if (depth > curve->depth)
			curve->depth = depth;
		curve->first_uses += stack->first_uses;
		curve->dropped_uses += stack->dropped_uses;
	}
	curve->misses = calloc(curve->depth + 1, sizeof(*curve->misses));
	if (!curve->misses)
		return false;
	for (uint32_t v = 0; v < pass->vcpus; v++) {
		const struct lru_stack *stack = &first[(size_t)v * 2];

		for (size_t d = 1; d <= curve->depth && d <= stack->max_pages; d++)
			curve->misses[d - 1] += stack->reuses[d];
	}
	curve->misses[curve->depth] = curve->first_uses + curve->dropped_uses;
	for (size_t d = curve->depth; d > 0; d--)
		curve->misses[d - 1] += curve->misses[d];
	return true;
}

static enum exit_status make_curves(struct mrc_pass *pass, const struct trace_info *info,
				    struct mrc *mrc)
{
	const struct trace_totals *totals = &info->totals;

	mrc->has_forks = info->has_forks;
	for (size_t i = 0; i < mrc_stacks(pass); i++)
		mrc->memory_bytes += lru_stack_bytes(&pass->stack[i]);
	for (int stream = STREAM_DATA; stream >= STREAM_FETCH; stream--) {
		for (size_t s = 0; pass->setup->stream[stream] && s < pass->setup->page_sizes;
		     s++) {
			struct mrc_curve *curve = &mrc->curve[mrc->curves++];

			curve->stream = (enum trace_stream)stream;
			curve->lookups = stream == STREAM_FETCH
						 ? totals->fetches
						 : totals->loads + totals->stores + totals->splits;
			if (!make_curve(pass, s, curve))
				return no_memory(pass);
		}
	}
	return STATUS_OK;
}

enum exit_status mrc_run(const struct mrc_setup *setup, const struct trace_reader *trace,
			 const struct point_progress *progress, struct mrc *mrc, struct diag *diag)
{
	const struct trace_info *info = trace_info(trace);
	struct mrc_pass pass;
	enum exit_status status = pass_init(&pass, setup, info, diag);

	memset(mrc, 0, sizeof(*mrc));
	if (status == STATUS_OK)
		status = use_trace(&pass, trace, progress);
	if (status == STATUS_OK)
		status = make_curves(&pass, info, mrc);
	if (status != STATUS_OK)
		mrc_fini(mrc);
	pass_fini(&pass);
	return status;
}

void mrc_fini(struct mrc *mrc)
{
	for (size_t i = 0; i < mrc->curves; i++)
		free(mrc->curve[i].misses);
	memset(mrc, 0, sizeof(*mrc));
}

uint64_t mrc_misses(const struct mrc_curve *curve, uint64_t entries)
{
	return curve->misses[entries < curve->depth ? entries : curve->depth];
}
