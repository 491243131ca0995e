/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of the writer of the native trace format: s2t_writer.c and s2t_encode.c. */
#ifndef TWOSTAGE_TRACE_S2T_WRITER_H
#define TWOSTAGE_TRACE_S2T_WRITER_H

#include <zstd.h>

#include "trace/s2t.h"

enum {
	S2T_SLOT_BITS = 17, /* twice the keys that a block can hold */
	S2T_SLOTS = 1 << S2T_SLOT_BITS,
	S2T_DEFAULT_LEVEL = 3,
	/* Room for one block: every section stored as it is, with zstd's bound on top. */
	S2T_OUT_BYTES = 16 << 20,
	S2T_SCRATCH_BYTES = TRACE_BLOCK_RECORDS * 8 + 8,
};

struct trace_writer {
	int fd;
	char *path;	 /* for messages; the final name when atomic */
	char *temp_path; /* NULL: written in place */
	bool named;	 /* `path` is a file that trace_abandon may remove */
	enum trace_granularity granularity;
	int level;
	struct diag failure; /* the first; every later call repeats it */
	uint64_t offset;     /* bytes of whole blocks in the file */
	uint64_t next_ordinal;
	struct s2t_file_header header;
	char *provenance;
	ZSTD_CCtx *cctx;

	struct s2t_block_header block;
	struct trace_info info; /* of the blocks written */
	struct s2t_index_entry *entries;
	uint64_t n_entries, max_entries;

	struct s2t_section sections[S2T_N_SECTION_TYPES];
	unsigned char *out; /* OUT_BYTES: sections of the block */
	size_t out_used;
	unsigned char *scratch; /* SCRATCH_BYTES: one column */
	uint64_t *wide;		/* one column */
	uint32_t *slots;	/* hash table of keys: index + 1 */
	struct trace_key *keys, *sorted_keys;
	struct s2t_event *events;
	uint32_t *order, *order2; /* sorting of the keys */
	uint16_t *index, *rank;
	uint32_t *reads, *stores, *splits, *instructions;
	uint64_t *ordinal, *last_offset, *store_offset;
};

/* Remember the first failure of the writer and report it; returns its status. */
enum exit_status s2t_writer_fail(struct trace_writer *w, struct diag *diag, enum exit_status status,
				 const char *what, int error);

/*
 * Encode the records and events gathered for the block into w->out from w->out_used on, with
 * their entries in w->sections. Changes the gathered columns.
 */
enum exit_status s2t_encode_block(struct trace_writer *w, struct diag *diag);

/* What tells two keys of a block apart besides their addresses. */
static inline uint64_t s2t_key_flags(const struct trace_key *k)
{
	return (uint64_t)(k->el | k->stream << 2 | k->device << 3 | k->size_log2 << 4);
}

static inline uint64_t s2t_key_owner(const struct trace_key *k)
{
	return (uint64_t)k->vcpu << 48 | (uint64_t)k->vm << 32 | (uint64_t)k->asid << 16 |
	       s2t_key_flags(k);
}

#endif
