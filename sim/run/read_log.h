/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The descriptor reads of all walks of one replay, in order: what a point wants to know that
 * differs in nothing but how long things take and in which cache a read is found.
 */
#ifndef TWOSTAGE_RUN_READ_LOG_H
#define TWOSTAGE_RUN_READ_LOG_H

#include "mmu/hierarchy.h"
#include "run/time_log.h"
#include "run/word_set.h"

/* A walk is a word that says which of these it has, then one for each read. */
struct read_header {
	uint16_t vcpu;
	uint8_t reads;
	uint8_t s1_leaf, s2_leaf; /* enum account_leaf; LEAF_SIZES: it does not count */
	uint8_t s1_hits, s2_hits; /* of walk caches */
};

static inline uint64_t read_header_word(const struct read_header *header)
{
	return header->vcpu | (uint64_t)header->reads << 16 | (uint64_t)header->s1_leaf << 24 |
	       (uint64_t)header->s2_leaf << 32 | (uint64_t)header->s1_hits << 40 |
	       (uint64_t)header->s2_hits << 48;
}

static inline struct read_header read_header_of(uint64_t word)
{
	return (struct read_header){ (uint16_t)word,	    (uint8_t)(word >> 16),
				     (uint8_t)(word >> 24), (uint8_t)(word >> 32),
				     (uint8_t)(word >> 40), (uint8_t)(word >> 48) };
}

struct read_log {
	uint32_t *word; /* owned */
	size_t words, room;
	struct word_set headers; /* read_header_word() */
	/* mmu_read_value() of the first descriptor of each page; which one is in the low bits of a
	 * word. */
	struct word_set pages;
	size_t most_bytes;
	bool overflow; /* the recording was given up */
};

void read_log_fini(struct read_log *log);
size_t read_log_bytes(const struct read_log *log);

/* As struct mmu_tap's walked(). */
void read_log_put(struct read_log *reads, struct budget *budget, uint32_t vcpu,
		  const struct walk_log *log, const struct walk_account *account,
		  enum account_leaf s1, enum account_leaf s2);

/*
 * Time of all walks and reads, with percentiles, in place of that which *stats has, if an MMU of
 * `shape` makes the walks of `log`; written down in `times` within `budget` unless that is NULL.
 * False: out of memory.
 */
bool read_log_count(const struct read_log *log, const struct mmu_shape *shape,
		    struct time_log *times, struct budget *budget, struct stats *stats);

#endif
