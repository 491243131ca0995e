/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a .s2t file, shared by its writer and its reader (docs/formats.md is the
 * specification). All integers are little endian.
 */
#ifndef TWOSTAGE_TRACE_S2T_H
#define TWOSTAGE_TRACE_S2T_H

#include <stdint.h>
#include <string.h>

#include "trace/trace.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the native trace format is read and written on little-endian hosts"
#endif

#define S2T_MAGIC	 "\x89S2T\r\n\x1a\n"
#define S2T_END_MAGIC	 "S2T-END\n"
#define S2T_BLOCK_MAGIC	 0x42543253u /* "S2TB" */
#define S2T_FOOTER_MAGIC 0x46543253u /* "S2TF" */

enum {
	S2T_VERSION = 2, /* the last that is known here */
	S2T_VERSION_PLAIN = 1,
	S2T_VERSION_FORKS = 2, /* fork events */
	S2T_MAX_PROVENANCE_BYTES = 1 << 20,
	S2T_MAX_BLOCK_BYTES = 64 << 20,
	S2T_MAX_EVENTS = 65536, /* in one block */
	S2T_MAX_OWNERS = 65536, /* vCPUs, and VMs: their numbers have 16 bits */
	S2T_MAX_SECTIONS = 256,
	S2T_CHECKED_FROM = 16, /* a block's checksum covers it from here to its end */
};

struct s2t_file_header {
	unsigned char magic[8];
	uint16_t version;	   /* of the writer */
	uint16_t reader_version;   /* the least version that a reader must know */
	uint32_t header_bytes;	   /* with the provenance and its padding; multiple of 8 */
	uint8_t granularity;	   /* enum trace_granularity */
	uint8_t va_bits, ipa_bits; /* 0 while the trace is being written, or not known */
	uint8_t zero;
	uint32_t provenance_bytes;
	uint8_t reserved[32]; /* 0 */
	uint64_t checksum;    /* XXH3-64 of the header_bytes with this field 0 */
};
_Static_assert(sizeof(struct s2t_file_header) == 64, "file header");

struct s2t_block_header {
	uint32_t magic;
	uint32_t block_bytes; /* header, section table and sections */
	uint64_t checksum;    /* XXH3-64 of the bytes from S2T_CHECKED_FROM to block_bytes */
	uint32_t n_records, n_keys, n_events, n_sections;
	uint64_t first_ordinal;
	uint64_t instructions, fetches, loads, stores, splits;
	uint8_t va_bits, ipa_bits;
	uint16_t zero;
	uint32_t vcpus, vms; /* largest number used + 1 */
	uint32_t zero2;
};
_Static_assert(sizeof(struct s2t_block_header) == 96, "block header");

enum s2t_encoding {
	S2T_CONSTANT = 0, /* `value` for each element, nothing stored */
	S2T_STORED = 1,
	S2T_ZSTD = 2, /* one zstd frame */
};

struct s2t_section {
	uint16_t type;	  /* enum s2t_section_type */
	uint8_t encoding; /* enum s2t_encoding */
	uint8_t width;	  /* bytes of one element */
	uint32_t stored_bytes;
	uint64_t value; /* constant: the element; planes: which byte planes are present */
};
_Static_assert(sizeof(struct s2t_section) == 16, "section");

enum s2t_section_type {
	S2T_KEY_VA = 1,	 /* planes */
	S2T_KEY_IPA = 2, /* planes */
	S2T_KEY_VCPU = 3,
	S2T_KEY_VM = 4,
	S2T_KEY_ASID = 5,
	S2T_KEY_FLAGS = 6, /* el [1:0], stream [2], device [3], size_log2 [7:4] */
	S2T_EVENTS = 7,	   /* struct s2t_event */
	S2T_INDEX = 8,
	S2T_READS = 9,
	S2T_STORES = 10,
	S2T_SPLITS = 11,
	S2T_STORE_OFFSET = 12, /* 0 no store; else store ordinal - ordinal + 1 */
	S2T_ORDINAL = 13,      /* difference from the record before; of record 0: 0 */
	S2T_LAST_OFFSET = 14,  /* last ordinal - ordinal */
	S2T_INSTRUCTIONS = 15,
	S2T_N_SECTION_TYPES = 16,
};

struct s2t_event {
	uint32_t before;
	uint8_t type, zero;
	uint16_t vcpu, vm, asid;
	uint32_t zero2;
	uint64_t args[2];
};
_Static_assert(sizeof(struct s2t_event) == 32, "event");

struct s2t_footer_header {
	uint32_t magic;
	uint32_t entry_bytes; /* sizeof(struct s2t_index_entry); later versions may be longer */
	uint64_t n_blocks;
	uint8_t va_bits, ipa_bits;
	uint16_t zero;
	uint32_t vcpus, vms, zero2;
	uint64_t content_digest;
	uint8_t reserved[24];
};
_Static_assert(sizeof(struct s2t_footer_header) == 64, "footer header");

struct s2t_index_entry {
	uint64_t offset;
	uint32_t block_bytes, n_records, n_events, zero;
	uint64_t first_ordinal;
	uint64_t checksum;
	uint64_t instructions, fetches, loads, stores, splits;
};
_Static_assert(sizeof(struct s2t_index_entry) == 80, "index entry");

/* The last 24 bytes of the file. The footer is header, entries, XXH3-64 of both. */
struct s2t_trailer {
	uint64_t footer_offset, footer_bytes;
	unsigned char magic[8];
};
_Static_assert(sizeof(struct s2t_trailer) == 24, "trailer");

/* Bits that `va` needs: the upper half of the address space counts like the lower one. */
static inline unsigned s2t_va_bits(uint64_t va)
{
	uint64_t v = va >> 63 ? ~va : va;

	return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* XXH3-64 over the checksums of n blocks: names the contents of a trace. */
uint64_t s2t_digest(const struct s2t_index_entry *entries, uint64_t n);

/* Add a block of the index to the totals; false if they overflow. */
bool s2t_count_entry(struct trace_totals *totals, const struct s2t_index_entry *entry);

/* Fill the entry of the block at `offset` and add the block to `info`; false on overflow. */
bool s2t_count_block(struct trace_info *info, struct s2t_index_entry *entry,
		     const struct s2t_block_header *block, uint64_t offset);

/* As trace_create and trace_open, on a descriptor that they own from then on (closed on failure
 * too); `name` is for messages. */
struct trace_writer *trace_create_fd(int fd, const char *name,
				     const struct trace_writer_options *options, struct diag *diag);
struct trace_reader *trace_open_fd(int fd, const char *name, bool salvage, struct diag *diag);

/* What was converted to this trace was damaged: info.complete becomes false. */
void s2t_mark_incomplete(struct trace_reader *reader);

/* Take the columns from a view of a whole block that were not asked for. */
static inline void s2t_keep_columns(struct trace_block *block, unsigned columns)
{
	if (columns & COLUMN_KEYS_ALONE)
		block->key = NULL;
	if (!(columns & COLUMN_COUNTS))
		block->reads = block->stores = block->splits = NULL;
	if (!(columns & COLUMN_FIRST_KIND)) {
		block->first_store = NULL;
		block->store_ordinal = NULL;
	}
	if (!(columns & COLUMN_ORDINALS))
		block->ordinal = block->last_ordinal = NULL;
	if (!(columns & COLUMN_INSTRUCTIONS))
		block->instructions = NULL;
}

#endif
