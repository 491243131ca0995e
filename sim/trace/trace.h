/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The native trace format .s2t (docs/formats.md): reading and writing blocks of records.
 *
 * A trace is a sequence of blocks of at most 65,536 records. Each block has a dictionary of keys,
 * one for each distinct (vCPU, VM, ASID, exception level, stream, page, IPA) in it, and columns
 * with one value a record, so that a reader decompresses only the columns it wants and a replay
 * finds with one 16-bit index everything that a TLB looks at.
 *
 * A record is a run: consecutive accesses of one stream of one vCPU to one unit (4 KiB page,
 * 64-byte line, or a single access when raw). Records are ordered by their first access.
 */
#ifndef TWOSTAGE_TRACE_TRACE_H
#define TWOSTAGE_TRACE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/types.h"
#include "base/diag.h"

enum { TRACE_BLOCK_RECORDS = 65536 };
#define TRACE_IPA_UNKNOWN UINT64_MAX

/* What one record stands for; the value is log2 of the unit's bytes. */
enum trace_granularity { TRACE_RAW = 0, TRACE_LINE_RUNS = 6, TRACE_PAGE_RUNS = 12 };

enum trace_stream { STREAM_FETCH = 0, STREAM_DATA = 1 };

struct trace_key {
	uint64_t va; /* aligned to the unit; raw: the exact address. Upper bits as the guest used */
	uint64_t ipa; /* of va, or TRACE_IPA_UNKNOWN */
	uint16_t vcpu, vm, asid;
	uint8_t el;	   /* 0 or 1 */
	uint8_t stream;	   /* enum trace_stream */
	uint8_t device;	   /* 1: the IPA is not RAM */
	uint8_t size_log2; /* raw: log2 of the access size; else 0 */
};

enum trace_event_type {
	EVENT_CONTEXT_SWITCH = 1, /* vcpu now runs asid of vm; args: TTBR0 or 0, TTBR1 or 0 */
	EVENT_VM_SWITCH = 2,	  /* vcpu now runs vm */
	EVENT_TLBI = 3,		  /* args: op1:CRn:CRm:op2 of the TLBI instruction (14 bits), Xt */
	EVENT_UNMAP = 4,	  /* args: first VA, length in bytes: the guest unmaps it */
	EVENT_FORK = 5,		  /* args: ASID of the child, whose memory is a copy of asid's */
};

struct trace_event {
	uint32_t before; /* it happens before record `before` of its block */
	uint8_t type;	 /* enum trace_event_type */
	uint16_t vcpu, vm, asid;
	uint64_t args[2];
};

/* Columns of a block; a reader names those it wants. KEY is always decoded. */
enum trace_column {
	COLUMN_KEY = 1,	       /* u16 index into the keys */
	COLUMN_COUNTS = 2,     /* loads (fetches), stores, splits: see struct trace_block */
	COLUMN_FIRST_KIND = 4, /* the first access is a store; offset of the first store */
	COLUMN_ORDINALS = 8,   /* first and last ordinal */
	COLUMN_INSTRUCTIONS = 16,
	COLUMN_ALL = 31,
	COLUMN_KEYS_ALONE = 32, /* keys and events and no column at all: `key` is NULL, too */
};

struct trace_totals {
	uint64_t records, events;
	uint64_t instructions, fetches, loads, stores;
	uint64_t splits; /* pieces in the second page of an access across a page boundary */
};

/* accesses = fetches + loads + stores; lookups in a TLB (page pieces) = accesses + splits. */
static inline uint64_t trace_accesses(const struct trace_totals *t)
{
	return t->fetches + t->loads + t->stores;
}

/*
 * From so many keys of a block on, TLB misses mostly walk, and what belongs to the keys does not
 * stay in the host's caches.
 */
enum { TRACE_MANY_KEYS = 8192 };

/*
 * One decoded block. Arrays belong to the block and hold until it is read into again.
 * Arrays of columns not asked for are NULL.
 */
struct trace_block {
	uint32_t n_records, n_keys, n_events;
	struct trace_totals totals; /* of this block */
	uint64_t first_ordinal; /* ordinal of the first access of record 0; ordinals count pieces */
	const struct trace_key *keys;
	const struct trace_event *events; /* sorted by `before` */
	const uint16_t *key;		  /* COLUMN_KEY */
	const uint32_t *reads;	    /* COLUMN_COUNTS: loads of a data, fetches of a fetch record */
	const uint32_t *stores;	    /* COLUMN_COUNTS */
	const uint32_t *splits;	    /* COLUMN_COUNTS: pieces that are counted in no access */
	const uint8_t *first_store; /* COLUMN_FIRST_KIND: 1 = the first access is a store */
	const uint64_t *store_ordinal; /* COLUMN_FIRST_KIND: of the first store; UINT64_MAX: none */
	const uint64_t *ordinal;       /* COLUMN_ORDINALS: of the first access */
	const uint64_t *last_ordinal;  /* COLUMN_ORDINALS: of the last access */
	const uint32_t *instructions;  /* COLUMN_INSTRUCTIONS: see struct trace_run */
	struct trace_times *times;     /* trace_read_times() */
	void *storage;		       /* owned; freed by trace_block_free */
};

/* Ordinals as they are stored. */
struct trace_times {
	const unsigned char *step, *reach; /* from the record before; from the first access on */
	unsigned step_bytes, reach_bytes;  /* of one of them: 1, 2 or 4 */
	uint32_t at;
	uint64_t ordinal; /* of record `at`, which was asked for last */
};

/* times.c: has the block been read with COLUMN_ORDINALS, or trace_read_times()? If so, the ordinals
 * of record i's first and last access. */
bool trace_has_times(const struct trace_block *block);
uint64_t trace_first_ordinal(const struct trace_block *block, uint32_t i);
uint64_t trace_last_ordinal(const struct trace_block *block, uint32_t i);

/* ---- reading: s2t_reader.c ---------------------------------------------------------------- */

struct trace_reader;

struct trace_info {
	enum trace_granularity granularity;
	unsigned version;
	unsigned va_bits, ipa_bits; /* widest addresses used */
	unsigned vcpus, vms;
	bool has_ipa;
	bool has_forks; /* may have fork events: stores matter */
	bool complete;	/* false: no footer (interrupted capture); blocks were found by scanning */
	uint64_t blocks;
	struct trace_totals totals;
	uint64_t content_digest; /* XXH3-64 over the block checksums in order: names the contents */
	const char *provenance;	 /* "key: value" lines, UTF-8; owned by the reader */
};

/* NULL on failure, with file, byte offset and expectation in diag. A trace without a footer is
 * refused with STATUS_BAD_INPUT unless `salvage`: then all sound blocks before the damage count,
 * info.complete is false and diag says what was wrong. */
struct trace_reader *trace_open(const char *path, bool salvage, struct diag *diag);
void trace_close(struct trace_reader *reader);
const struct trace_info *trace_info(const struct trace_reader *reader);
const char *trace_path(const struct trace_reader *reader);

/*
 * Blocks of a trace as a trace of their own, in this order; one may come several times. Totals and
 * ordinals are those of the part, all else that trace_info() says is the whole's. `whole` may be
 * closed before it. NULL on failure.
 */
struct trace_reader *trace_part(const struct trace_reader *whole, const uint64_t *blocks, size_t n,
				struct diag *diag);

/* Totals of block `index` (< info.blocks), from the index: nothing is read. */
struct trace_totals trace_block_totals(const struct trace_reader *reader, uint64_t index);

/* Ordinal of its first piece, from the index, too; of block info.blocks: number of all pieces. */
uint64_t trace_block_ordinal(const struct trace_reader *reader, uint64_t index);

/*
 * Decode block `index` (< info.blocks). `columns`: enum trace_column bits. Checks the block's
 * checksum and every index in it: a block that returns STATUS_OK is safe to use. May be called from
 * several threads at once with different `block`s. *block starts zeroed and may be used again.
 */
enum exit_status trace_read_block(const struct trace_reader *reader, uint64_t index,
				  unsigned columns, struct trace_block *block, struct diag *diag);

/*
 * What trace_first_ordinal() and trace_last_ordinal() want to know of the block that was last read
 * into *block, which is block `index`, without COLUMN_ORDINALS. Cheaper than that column where few
 * records are asked for, in order or nearly so; checked alike.
 */
enum exit_status trace_read_times(const struct trace_reader *reader, uint64_t index,
				  struct trace_block *block, struct diag *diag);
void trace_block_free(struct trace_block *block);

/* ---- writing: s2t_writer.c ---------------------------------------------------------------- */

struct trace_writer;

struct trace_writer_options {
	enum trace_granularity granularity;
	int zstd_level;		/* 1..19; negative: faster than 1; 0 = default (3) */
	bool atomic;		/* write under a temporary name beside `path`, rename at the end */
	const char *provenance; /* "key: value" lines, at most 1 MiB; may be NULL */
};

/*
 * Creates `path`; NULL on failure. After a failed write (full disk) each further call returns the
 * same failure; unless `atomic`, the blocks before it stay and can be salvaged.
 */
struct trace_writer *trace_create(const char *path, const struct trace_writer_options *options,
				  struct diag *diag);

/*
 * One run, already collapsed and in order of first access. Ordinals are absolute and count pieces
 * (accesses and splits). A run with splits and without reads and stores is the second piece of an
 * access over a page boundary; it is a store's if store_ordinal says so.
 *
 * `instructions` are those begun after the first access of the record before, up to and with the
 * first access of this one; the last record before an event or the end of the trace has also those
 * begun after its first access. So their sum is the trace's number of instructions.
 */
struct trace_run {
	struct trace_key key;
	uint32_t reads, stores, splits, instructions;
	uint64_t ordinal, last_ordinal;
	uint64_t store_ordinal; /* of the first store; UINT64_MAX: none */
};

enum exit_status trace_put_run(struct trace_writer *writer, const struct trace_run *run,
			       struct diag *diag);
enum exit_status trace_put_event(struct trace_writer *writer, const struct trace_event *event,
				 struct diag *diag); /* `before` is set by the writer */

/* Writes the last block and the footer, syncs and closes. The writer is freed in any case. */
enum exit_status trace_finish(struct trace_writer *writer, struct trace_info *info,
			      struct diag *diag);
/* Close and remove what was written. */
void trace_abandon(struct trace_writer *writer);

/* ---- collapsing: collapse.c, convert.c ---------------------------------------------------- */

/*
 * Single accesses in, runs of `granularity` out, into `writer` (which has the same granularity), in
 * order of their first access. An access counts once, where it starts; the part of a data access in
 * the next page becomes a piece there (splits); one over a line boundary belongs to its first line.
 * Closes the runs of a vCPU when its VM, ASID or exception level changes, and all open runs at each
 * event. At most one run for each (vCPU, stream) is open; a run may be closed early, which costs a
 * record and changes no count.
 */
struct trace_collapser;

/* NULL when there is no memory. */
struct trace_collapser *trace_collapser_create(struct trace_writer *writer,
					       enum trace_granularity granularity);
struct trace_ref;
enum exit_status trace_collapse(struct trace_collapser *collapser, const struct trace_ref *refs,
				size_t n, struct diag *diag);
/* A run of a finer or the same granularity, in order of first access. */
enum exit_status trace_collapse_run(struct trace_collapser *collapser, const struct trace_run *run,
				    struct diag *diag);
enum exit_status trace_collapse_event(struct trace_collapser *collapser,
				      const struct trace_event *event, struct diag *diag);
/* Closes all runs and frees the collapser (not the writer). */
enum exit_status trace_collapser_finish(struct trace_collapser *collapser, struct diag *diag);

/* Record i of a block that was read with COLUMN_ALL. */
struct trace_run trace_block_run(const struct trace_block *block, uint32_t i);

/*
 * Copy all records and events of `reader` through `collapser`. The collapser's granularity must not
 * be finer than the trace's.
 */
enum exit_status trace_collapse_trace(struct trace_collapser *collapser,
				      const struct trace_reader *reader, struct diag *diag);

/* ---- any format: import.c ----------------------------------------------------------------- */

/*
 * Open any trace: native, or foreign through an importer (`from`: its name, NULL: the content
 * decides), converted to `granularity` in an unnamed temporary file when foreign. A native file is
 * opened as it is; a specification of `trace gen`, NAME.yaml, is made into a trace. With
 * `salvage`, a damaged trace is opened up to the damage, info.complete is false and diag says what
 * was wrong.
 */
struct trace_reader *trace_open_any(const char *path, const char *from, bool salvage,
				    enum trace_granularity granularity, struct diag *diag);

#endif
