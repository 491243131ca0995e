/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one walk did so far: descriptor reads and walk-cache lookups. It goes into the statistics
 * when the walk completes, and nowhere but into the retries when it ends in a fault. C++ includes
 * this, too.
 */
#ifndef TWOSTAGE_MMU_ACCOUNT_H
#define TWOSTAGE_MMU_ACCOUNT_H

#include "mem/latency.h"
#include "mmu/histogram.h"
#include "mmu/stats.h"

/* More than any walk makes: 35 reads, and an update of each leaf. */
enum { ACCOUNT_READS = 64 };

/* Instead of an enum found_in: somebody else will say where it is found, and time it. */
enum { ACCOUNT_LATER = FOUND_COUNT };

/* Leaf sizes of a stage. */
enum account_leaf { LEAF_PAGE, LEAF_PMD, LEAF_PUD, LEAF_SIZES };

struct account_read {
	uint8_t level; /* STAT_walk_reads_s1_lm1 + level is its row: walk_row() */
	uint8_t place; /* enum found_in or ACCOUNT_LATER */
	bool final;    /* stage 2, for the final IPA */
	uint32_t cycles;
};

struct walk_account {
	uint64_t cycles;
	uint32_t reads;
	uint32_t s1_hits, s2_leaf_hits, s2_table_hits, s2_misses; /* of walk caches */
	uint32_t pwc_hits[2], pwc_misses;	 /* of the cache of descriptors; hits by stage */
	struct account_read read[ACCOUNT_READS]; /* unless account_commit_found() gets them */
};

/* Latencies of walks, all and by the leaves they led to. */
struct walk_latencies {
	struct histogram all;
	struct histogram by_leaf[LEAF_SIZES][LEAF_SIZES]; /* stage 1, stage 2 */
};

/* `level` and `final` as in struct account_read. */
static inline void account_add_read(struct walk_account *account, uint8_t level, bool final,
				    struct latency_result found)
{
	struct account_read *read = &account->read[account->reads];

	account->cycles += found.cycles;
	if (account->reads == ACCOUNT_READS)
		return;
	account->reads++;
	read->level = level;
	read->place = (uint8_t)found.found_in;
	read->final = final;
	read->cycles = found.cycles;
}

static inline void account_clear(struct walk_account *account)
{
	account->cycles = 0;
	account->reads = 0;
	account->s1_hits = account->s2_leaf_hits = 0;
	account->s2_table_hits = account->s2_misses = 0;
	account->pwc_hits[0] = account->pwc_hits[1] = account->pwc_misses = 0;
}

/* The size of a leaf of 2^bits bytes; bits 0 (the stage is off) counts as a page. */
static inline enum account_leaf account_leaf_of(enum granule granule, unsigned bits)
{
	if (bits <= (unsigned)granule)
		return LEAF_PAGE;
	return bits <= level_shift(granule, 2) ? LEAF_PMD : LEAF_PUD;
}

/* What a completed walk did, with the time of its reads, none of them ACCOUNT_LATER. */
void account_commit(const struct walk_account *account, struct stats *stats,
		    struct walk_latencies *latencies, enum account_leaf s1, enum account_leaf s2);

/*
 * The same of a walk that asked for its reads by `query` and `found` them so. Of these the account
 * knows only the number; their cycles are added to it. There is no cache of descriptors (pwc).
 */
void account_commit_found(struct walk_account *account, const struct latency_query *query,
			  const struct latency_result *found, struct stats *stats,
			  struct walk_latencies *latencies, enum account_leaf s1,
			  enum account_leaf s2);

/* The same in two parts: all but the walk's cycles and the time of reads that are ACCOUNT_LATER, */
void account_count(const struct walk_account *account, struct stats *stats, enum account_leaf s1,
		   enum account_leaf s2);

/* and the walk's cycles with the time of reads, those that were left out. */
void account_time(const struct walk_account *account, struct stats *stats,
		  struct walk_latencies *latencies, enum account_leaf s1, enum account_leaf s2);

/* What account_time() has counted, back to 0. */
void account_forget_time(struct stats *stats);

/*
 * Instead, where a read takes `cycles` by the place where it is found: the time of all reads by the
 * counts of account_time(), and walk cycles back to 0. `final`: stage-2 reads for the final IPA.
 */
void account_time_reads(struct stats *stats, const uint32_t cycles[FOUND_COUNT],
			const uint64_t final[FOUND_COUNT]);

/* And `walks` walks to leaves of one pair of sizes that took `cycles` each. */
void account_time_walks(struct stats *stats, struct walk_latencies *latencies, enum account_leaf s1,
			enum account_leaf s2, uint64_t cycles, uint64_t walks);

/* A walk that ended in a fault. The account is empty afterwards. */
void account_discard(struct walk_account *account, struct stats *stats);

/* Sums alone, of rows that others add up to: whoever reads one of them asks for it first. */
void account_sums(struct stats *stats);

/* Percentiles alone. */
void account_quantiles(const struct walk_latencies *latencies, struct stats *stats);

#endif
