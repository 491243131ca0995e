/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of the reader of the native trace format: s2t_reader.c, s2t_decode.c, s2t_storage.c. */
#ifndef TWOSTAGE_TRACE_S2T_READER_H
#define TWOSTAGE_TRACE_S2T_READER_H

#include <zstd.h>

#include "trace/s2t.h"

/* All of `n` bytes at `offset`, or a diagnostic that names file and byte. */
enum exit_status s2t_read_at(int fd, const char *path, uint64_t offset, void *to, size_t n,
			     struct diag *diag);

/*
 * NULL, or what is wrong with the fixed header of a block of which at most `max_bytes` can be in
 * the file.
 */
const char *s2t_refuse_block_header(const struct s2t_block_header *header, uint64_t max_bytes);

/* Room for one column as stored. */
enum { S2T_DECODE_SCRATCH_BYTES = TRACE_BLOCK_RECORDS * 8 + 8 };

/* What trace_block.storage points to: buffers that grow once and stay. */
struct s2t_storage {
	unsigned char *bytes; /* the block as stored */
	size_t max_bytes;
	ZSTD_DCtx *dctx;
	unsigned char *scratch;
	struct trace_key *keys;
	uint64_t *key_va, *key_ipa; /* columns of the keys */
	uint16_t *key_owner;	    /* four of them: vCPU, VM, ASID, flags */
	struct trace_event *events;
	size_t max_events;
	uint16_t *key;
	uint32_t *reads, *stores, *splits, *instructions;
	uint8_t *first_store;
	uint64_t *store_ordinal, *ordinal, *last_ordinal;
	struct trace_times times; /* their columns lie in ordinal and last_ordinal */
};

/* Room for a block of `block_bytes` and for `columns` in `block`. */
enum exit_status s2t_prepare(struct trace_block *block, size_t block_bytes, unsigned columns,
			     const char *path, struct diag *diag);

/*
 * Decode the stored block in storage->bytes, whose header and checksum have been checked, into
 * `block`. `path` and `offset` are for messages.
 */
enum exit_status s2t_decode_block(struct trace_block *block, enum trace_granularity granularity,
				  unsigned columns, const char *path, uint64_t offset,
				  struct diag *diag);

/* The ordinals of a block that has been decoded: trace_read_times(). */
enum exit_status s2t_decode_times(struct trace_block *block, const char *path, uint64_t offset,
				  struct diag *diag);

#endif
