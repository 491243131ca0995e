/* SPDX-License-Identifier: BSD-2-Clause */
/* The buffers that a decoded block keeps from one read to the next. */
#include <stdlib.h>

#include "trace/s2t_reader.h"

enum { RECORDS = TRACE_BLOCK_RECORDS };

static bool get_room(void *array, size_t n)
{
	void **p = array;

	if (!*p)
		*p = malloc(n);
	return *p != NULL;
}

static bool get_columns(struct s2t_storage *s, unsigned columns)
{
	bool ok = get_room(&s->scratch, S2T_DECODE_SCRATCH_BYTES) &&
		  get_room(&s->keys, RECORDS * sizeof(*s->keys)) &&
		  get_room(&s->key_va, RECORDS * sizeof(*s->key_va)) &&
		  get_room(&s->key_ipa, RECORDS * sizeof(*s->key_ipa)) &&
		  get_room(&s->key_owner, 4 * RECORDS * sizeof(*s->key_owner)) &&
		  get_room(&s->events, S2T_MAX_EVENTS * sizeof(*s->events)) &&
		  get_room(&s->key, RECORDS * sizeof(*s->key));

	if (ok && columns & COLUMN_COUNTS)
		ok = get_room(&s->reads, RECORDS * sizeof(*s->reads)) &&
		     get_room(&s->stores, RECORDS * sizeof(*s->stores)) &&
		     get_room(&s->splits, RECORDS * sizeof(*s->splits));
	if (ok && columns & (COLUMN_ORDINALS | COLUMN_FIRST_KIND))
		ok = get_room(&s->ordinal, RECORDS * sizeof(*s->ordinal)) &&
		     get_room(&s->last_ordinal, RECORDS * sizeof(*s->last_ordinal));
	if (ok && columns & COLUMN_FIRST_KIND)
		ok = get_room(&s->first_store, RECORDS) &&
		     get_room(&s->store_ordinal, RECORDS * sizeof(*s->store_ordinal));
	if (ok && columns & COLUMN_INSTRUCTIONS)
		ok = get_room(&s->instructions, RECORDS * sizeof(*s->instructions));
	return ok;
}

enum exit_status s2t_prepare(struct trace_block *block, size_t block_bytes, unsigned columns,
			     const char *path, struct diag *diag)
{
	struct s2t_storage *s = block->storage;

	if (!s)
		block->storage = s = calloc(1, sizeof(*s));
	if (s && !s->dctx)
		s->dctx = ZSTD_createDCtx();
	if (s && s->max_bytes < block_bytes) {
		free(s->bytes);
		s->max_bytes = block_bytes;
		s->bytes = malloc(block_bytes);
	}
	if (!s || !s->dctx || !s->bytes || !get_columns(s, columns)) {
		if (s && !s->bytes)
			s->max_bytes = 0;
		return diag_set(diag, STATUS_INTERNAL, "%s: out of memory", path);
	}
	return STATUS_OK;
}

void trace_block_free(struct trace_block *block)
{
	struct s2t_storage *s = block->storage;

	if (s) {
		void *const owned[] = {
			s->bytes,   s->scratch,	     s->keys,	     s->key_va,
			s->key_ipa, s->key_owner,    s->events,	     s->key,
			s->reads,   s->stores,	     s->splits,	     s->instructions,
			s->ordinal, s->last_ordinal, s->first_store, s->store_ordinal,
		};

		for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
			free(owned[i]);
		ZSTD_freeDCtx(s->dctx);
		free(s);
	}
	*block = (struct trace_block){ 0 };
}
