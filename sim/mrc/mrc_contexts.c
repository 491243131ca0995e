/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "mrc/mrc_private.h"

static uint64_t tag_of(struct mrc_context context)
{
	return (uint64_t)context.vm << 17 | (uint64_t)context.asid << 1 | context.global;
}

static bool grow(struct mrc_contexts *contexts)
{
	const uint32_t room = contexts->room ? 2 * contexts->room : 64;
	void *fresh;

	if (room > MRC_MAX_CONTEXTS)
		return false;
	fresh = reallocarray(contexts->context, room, sizeof(*contexts->context));
	if (!fresh)
		return false;
	contexts->context = fresh;
	fresh = reallocarray(contexts->sorted, room, sizeof(*contexts->sorted));
	if (!fresh)
		return false;
	contexts->sorted = fresh;
	contexts->room = room;
	return true;
}

uint32_t mrc_context_number(struct mrc_contexts *contexts, struct mrc_context context)
{
	const uint64_t tag = tag_of(context);
	uint32_t first = 0, end = contexts->count;

	while (first < end) {
		const uint32_t middle = first + (end - first) / 2;

		if (tag_of(contexts->context[contexts->sorted[middle]]) < tag)
			first = middle + 1;
		else
			end = middle;
	}
	if (first < contexts->count && tag_of(contexts->context[contexts->sorted[first]]) == tag)
		return contexts->sorted[first];
	if (contexts->count == contexts->room && !grow(contexts))
		return UINT32_MAX;
	memmove(&contexts->sorted[first + 1], &contexts->sorted[first],
		(contexts->count - first) * sizeof(*contexts->sorted));
	contexts->sorted[first] = contexts->count;
	contexts->context[contexts->count] = context;
	return contexts->count++;
}

void mrc_contexts_fini(struct mrc_contexts *contexts)
{
	free(contexts->context);
	free(contexts->sorted);
	memset(contexts, 0, sizeof(*contexts));
}
