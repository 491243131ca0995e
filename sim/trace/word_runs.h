/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words of raw_word.h to page or line runs in memory, by the rules of trace_collapse() and with the
 * same records.
 */
#ifndef TWOSTAGE_TRACE_WORD_RUNS_H
#define TWOSTAGE_TRACE_WORD_RUNS_H

#include "trace/blocks.h"

enum {
	WORD_VCPUS = 256,
	WORD_WINDOW = 64,   /* words that are looked at together */
	WORD_PENDING = 4096 /* runs that may wait for an older one to close */
};

/* A run that is open, or none where `store` is NULL. What it counts is not in its columns yet. */
struct word_run {
	struct block_store *store;
	uint32_t record;
	uint32_t reads, stores, splits;
	uint64_t last, first_store; /* ordinals; first_store UINT64_MAX: none */
};

/* What one vCPU is doing, by stream. */
struct word_lane {
	uint64_t
		unit[2]; /* the word's bits that are alike in all of the open run; all ones: none */
	struct word_run run[2];
};

/* Which columns are wanted: all, or but those of counts and instructions. */
enum word_detail { WORD_COUNTS, WORD_BARE };

struct word_runs;

/* A bit for each word of a window. */
struct word_bits {
	uint64_t fetches, stores;
	uint64_t starts; /* of another unit than the access of its stream before */
};

/*
 * The bits of 1 to 64 words; `unit` as in struct word_lane, brought up to date. false, and nothing
 * has happened: they have to be taken one by one, as one is not valid, of another vCPU than the
 * first, or reaches over the end of its page.
 */
typedef bool word_scan(struct word_runs *w, const unsigned char *words, unsigned n,
		       uint64_t unit[2], struct word_bits *bits);

/* The runs of such words, for which there is room. */
typedef void word_take(struct word_runs *w, struct word_lane *lane, const unsigned char *words,
		       unsigned n, const struct word_bits *bits);

struct word_runs {
	struct block_builder *blocks;
	word_scan *scan;
	word_take *take;
	enum word_detail detail;
	unsigned size_log2_max; /* of the words so far, about: what a window has to look for */
	uint64_t match;		/* the bits of a word that make its unit */
	uint64_t ordinal;	/* of the next piece */
	uint64_t instructions;	/* begun since the last run was started */
	uint64_t oldest;	/* no open run has a lower number */
	struct block_store *newest;
	uint32_t newest_record; /* of newest; NULL: none since all were closed */
	unsigned n_lanes;	/* those used are below */
	struct word_lane lane[WORD_VCPUS];
};

/* How wide compares may be where the processor has such: not at all, AVX2, any. */
enum word_width { WORD_PLAIN, WORD_AVX2, WORD_WIDEST };

void word_runs_init(struct word_runs *w, struct block_builder *blocks, enum word_width width,
		    enum word_detail detail);

/* Takes words up to one that is not valid; how many. Starts at most 2 runs a word. */
size_t word_runs_take(struct word_runs *w, const unsigned char *words, size_t n);

/* Number of the first record over all blocks that is not closed yet. */
uint64_t word_runs_closed(struct word_runs *w);

/* Closes all runs. */
void word_runs_finish(struct word_runs *w);

/* ---- between word_runs.c, word_scan.c and word_take.c ------------------------------------------
 */

bool word_has_bits(void); /* does the processor count and deposit bits? */
word_scan *word_scanner(enum word_width width);
word_take *word_taker(enum word_width width, enum word_detail detail);

/* The tag of the key of a unit: as it stands in the word, with the stream in place of the kind. */
static inline uint64_t word_tag(uint64_t unit, unsigned stream)
{
	return unit | (uint64_t)stream << 49 | UINT64_C(1) << 50;
}

/* Where the key of a tag is looked for first. */
static inline const struct block_slot *word_slot(const struct block_builder *b, uint64_t tag)
{
	return &b->slots[block_hash(tag) >> b->slot_shift];
}

/* Index of the key of a tag in the block that is being filled, which gets it if it has none. */
uint16_t word_key(struct block_builder *b, uint64_t tag);

/* What an open run has counted to its columns. */
static inline void word_close(struct word_run *run)
{
	struct block_store *s = run->store;
	const uint32_t i = run->record;

	s->reads[i] = run->reads;
	s->stores[i] = run->stores;
	if (run->splits)
		s->splits[i] = run->splits;
	s->store_ordinal[i] = run->first_store;
	s->last_ordinal[i] = run->last;
	run->store = NULL;
}

#endif
