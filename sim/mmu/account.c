/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/account.h"

#include <string.h>

#include "arch/types.h"

/* Rows of one pair of leaf sizes, and of the next pair. */
enum {
	PAIR_WALKS = STAT_walks_page_page,
	PAIR_ROWS = STAT_walks_page_pmd - STAT_walks_page_page,
	PLACES = FOUND_COUNT,
	/* Rows of reads of both stages: by level; by level and place. */
	LEVEL_ROWS = 2 * (STAT_walk_reads_s2_lm1 - STAT_walk_reads_s1_lm1),
	CELLS = LEVEL_ROWS * PLACES,
};

/* The rows of one pair of leaf sizes. */
static uint64_t *pair_of(struct stats *stats, enum account_leaf s1, enum account_leaf s2)
{
	return stats->v + PAIR_WALKS + (unsigned)(s1 * LEAF_SIZES + s2) * PAIR_ROWS;
}

/* By level and place; account_sums() adds these up. `row` as in struct account_read. */
static inline void place_read(uint64_t *v, unsigned row, unsigned place, uint64_t cycles)
{
	uint64_t *cell = v + row * (unsigned)PLACES + place;

	cell[STAT_reads_s1_lm1_l1d]++;
	cell[STAT_read_cycles_s1_lm1_l1d] += cycles;
}

static inline void time_read(uint64_t *v, const struct account_read *read)
{
	place_read(v, read->level, read->place, read->cycles);
	v[STAT_walk_cycles_s2_final] += read->final ? read->cycles : 0;
}

static inline void count_walk(const struct walk_account *account, struct stats *stats,
			      enum account_leaf s1, enum account_leaf s2)
{
	uint64_t *v = stats->v;

	v[STAT_walks]++;
	pair_of(stats, s1, s2)[0]++;
	v[STAT_walk_cache_s1_hits] += account->s1_hits;
	v[STAT_walk_cache_s2_leaf_hits] += account->s2_leaf_hits;
	v[STAT_walk_cache_s2_table_hits] += account->s2_table_hits;
	v[STAT_walk_cache_s2_misses] += account->s2_misses;
}

static inline void count_pwc(const struct walk_account *account, uint64_t *v)
{
	v[STAT_pwc_s1_hits] += account->pwc_hits[0];
	v[STAT_pwc_s2_hits] += account->pwc_hits[1];
	v[STAT_pwc_misses] += account->pwc_misses;
}

static inline void time_walks(struct stats *stats, struct walk_latencies *latencies,
			      enum account_leaf s1, enum account_leaf s2, uint64_t cycles,
			      uint64_t walks)
{
	const unsigned bucket = histogram_bucket(cycles);

	stats->v[STAT_walk_cycles] += cycles * walks;
	pair_of(stats, s1, s2)[1] += cycles * walks;
	histogram_put(&latencies->all, bucket, cycles, walks);
	histogram_put(&latencies->by_leaf[s1][s2], bucket, cycles, walks);
}

void account_count(const struct walk_account *account, struct stats *stats, enum account_leaf s1,
		   enum account_leaf s2)
{
	for (uint32_t i = 0; i < account->reads; i++) {
		stats->v[STAT_walk_reads_s2_final] += account->read[i].final;
		if (account->read[i].place != ACCOUNT_LATER)
			time_read(stats->v, &account->read[i]);
	}
	count_walk(account, stats, s1, s2);
	count_pwc(account, stats->v);
}

void account_time(const struct walk_account *account, struct stats *stats,
		  struct walk_latencies *latencies, enum account_leaf s1, enum account_leaf s2)
{
	for (uint32_t i = 0; i < account->reads; i++)
		time_read(stats->v, &account->read[i]);
	time_walks(stats, latencies, s1, s2, account->cycles, 1);
}

static void forget_walk_cycles(uint64_t *v)
{
	v[STAT_walk_cycles] = v[STAT_walk_cycles_s2_final] = 0;
	for (unsigned i = 0; i < LEAF_SIZES * LEAF_SIZES; i++)
		v[PAIR_WALKS + i * PAIR_ROWS + 1] = 0;
}

void account_forget_time(struct stats *stats)
{
	uint64_t *v = stats->v;

	memset(v + STAT_reads_s1_lm1_l1d, 0, CELLS * sizeof(*v));
	memset(v + STAT_read_cycles_s1_lm1_l1d, 0, CELLS * sizeof(*v));
	forget_walk_cycles(v);
}

void account_time_reads(struct stats *stats, const uint32_t cycles[FOUND_COUNT],
			const uint64_t final[FOUND_COUNT])
{
	uint64_t *v = stats->v;

	forget_walk_cycles(v);
	for (unsigned row = 0; row < CELLS; row++)
		v[STAT_read_cycles_s1_lm1_l1d + row] =
			v[STAT_reads_s1_lm1_l1d + row] * cycles[row % PLACES];
	for (unsigned place = 0; place < PLACES; place++)
		v[STAT_walk_cycles_s2_final] += final[place] * cycles[place];
}

void account_time_walks(struct stats *stats, struct walk_latencies *latencies, enum account_leaf s1,
			enum account_leaf s2, uint64_t cycles, uint64_t walks)
{
	time_walks(stats, latencies, s1, s2, cycles, walks);
}

void account_commit(const struct walk_account *account, struct stats *stats,
		    struct walk_latencies *latencies, enum account_leaf s1, enum account_leaf s2)
{
	account_count(account, stats, s1, s2);
	time_walks(stats, latencies, s1, s2, account->cycles, 1);
}

void account_commit_found(struct walk_account *account, const struct latency_query *query,
			  const struct latency_result *found, struct stats *stats,
			  struct walk_latencies *latencies, enum account_leaf s1,
			  enum account_leaf s2)
{
	uint64_t cycles[2] = { 0 }, final_reads = 0;

	for (uint32_t i = 0; i < account->reads; i++) {
		const bool final = query[i].final;
		const struct latency_result result = found[i];

		place_read(stats->v, query[i].row, result.found_in, result.cycles);
		final_reads += final;
		cycles[final] += result.cycles;
	}
	account->cycles += cycles[0] + cycles[1];
	stats->v[STAT_walk_reads_s2_final] += final_reads;
	stats->v[STAT_walk_cycles_s2_final] += cycles[1];
	count_walk(account, stats, s1, s2);
	time_walks(stats, latencies, s1, s2, account->cycles, 1);
}

void account_discard(struct walk_account *account, struct stats *stats)
{
	stats->v[STAT_walk_retries]++;
	stats->v[STAT_retry_reads] += account->reads;
	account_clear(account);
}

static void finish_histogram(const struct histogram *histogram, uint64_t *p50)
{
	p50[0] = histogram_quantile(histogram, 500);
	p50[1] = histogram_quantile(histogram, 900);
	p50[2] = histogram_quantile(histogram, 990);
	p50[3] = histogram->max;
}

void account_quantiles(const struct walk_latencies *latencies, struct stats *stats)
{
	uint64_t *pair = stats->v + PAIR_WALKS;

	finish_histogram(&latencies->all, stats->v + STAT_walk_cycles_p50);
	for (unsigned i = 0; i < LEAF_SIZES * LEAF_SIZES; i++, pair += PAIR_ROWS)
		finish_histogram(&latencies->by_leaf[i / LEAF_SIZES][i % LEAF_SIZES], pair + 2);
}

/* Reads by stage and level, and by place. */
static void sum_reads(uint64_t *v)
{
	memset(v + STAT_walk_reads_l1d, 0, PLACES * sizeof(*v));
	for (unsigned row = 0; row < LEVEL_ROWS; row++) {
		v[STAT_walk_reads_s1_lm1 + row] = 0;
		for (unsigned place = 0; place < PLACES; place++) {
			const uint64_t reads = v[STAT_reads_s1_lm1_l1d + row * PLACES + place];

			v[STAT_walk_reads_s1_lm1 + row] += reads;
			v[STAT_walk_reads_l1d + place] += reads;
		}
	}
}

void account_sums(struct stats *stats)
{
	uint64_t *v = stats->v;

	sum_reads(v);
	v[STAT_walk_reads_s1] = v[STAT_walk_reads_s2] = 0;
	for (unsigned level = 0; level < LEVEL_ROWS / 2; level++) {
		v[STAT_walk_reads_s1] += v[STAT_walk_reads_s1_lm1 + level];
		v[STAT_walk_reads_s2] += v[STAT_walk_reads_s2_lm1 + level];
	}
	v[STAT_walk_reads] = v[STAT_walk_reads_s1] + v[STAT_walk_reads_s2];
	v[STAT_walk_cache_s1_misses] = v[STAT_walks] - v[STAT_walk_cache_s1_hits];
}
