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

/* 1 to 64 words of a window, of which those before it are done. false: they have to be taken one by
 * one, and nothing has happened. */
typedef bool word_window(struct word_runs *w, const unsigned char *words, unsigned n);

struct word_runs {
	struct block_builder *blocks;
	word_window *window;
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

enum word_width { WORD_PLAIN, WORD_WIDEST };

/* `width` WORD_PLAIN: without wide compares even where the processor has them. */
void word_runs_init(struct word_runs *w, struct block_builder *blocks, enum word_width width,
		    enum word_detail detail);

/* Takes words up to one that is not valid; how many. Starts at most 2 runs a word. */
size_t word_runs_take(struct word_runs *w, const unsigned char *words, size_t n);

/* Number of the first record over all blocks that is not closed yet. */
uint64_t word_runs_closed(struct word_runs *w);

/* Closes all runs. */
void word_runs_finish(struct word_runs *w);

/* ---- between word_runs.c and word_window.c --------------------------------------------------- */

word_window *word_window_of(enum word_width width);

/* The tag of the key of a unit: as it stands in the word, with the stream in place of the kind. */
static inline uint64_t word_tag(uint64_t unit, unsigned stream)
{
	return unit | (uint64_t)stream << 49 | UINT64_C(1) << 50;
}

/* A key that word_key() does not find. */
uint16_t word_new_key(struct block_builder *b, uint64_t unit, unsigned stream);

/* Where the keys of the block that is being filled are looked up. */
struct word_keys {
	const struct block_slot *slots;
	unsigned shift;
	size_t mask;
};

static inline struct word_keys word_keys_of(const struct block_builder *b)
{
	return (struct word_keys){ b->slots, 64 - b->slot_bits, ((size_t)1 << b->slot_bits) - 1 };
}

/* Index of the key of a unit; `keys` follows where one is added. */
static inline uint16_t word_key(struct block_builder *b, struct word_keys *keys, uint64_t unit,
				unsigned stream)
{
	const uint64_t tag = word_tag(unit, stream);
	size_t slot = block_hash(tag) >> keys->shift;
	uint16_t index;

	for (; keys->slots[slot].tag; slot = (slot + 1) & keys->mask)
		if (keys->slots[slot].tag == tag)
			return (uint16_t)keys->slots[slot].index;
	index = word_new_key(b, unit, stream);
	*keys = word_keys_of(b);
	return index;
}

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
