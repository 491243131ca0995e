/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/read_log.h"

#include <string.h>

/* Descriptors of a page. */
enum { PAGE_WORDS_LOG2 = 9 };

void read_log_fini(struct read_log *log)
{
	free(log->word);
	word_set_fini(&log->headers);
	word_set_fini(&log->pages);
	memset(log, 0, sizeof(*log));
}

size_t read_log_bytes(const struct read_log *log)
{
	return log->room * sizeof(*log->word) + word_set_bytes(&log->headers) +
	       word_set_bytes(&log->pages);
}

static void give_up(struct read_log *log, struct budget *budget)
{
	const size_t most_bytes = log->most_bytes;

	budget->bytes -= read_log_bytes(log);
	read_log_fini(log);
	log->most_bytes = most_bytes;
	log->overflow = true;
}

/* What others record for more points would soon find no room. */
static bool is_spent(const struct read_log *log, const struct budget *budget)
{
	return read_log_bytes(log) > log->most_bytes ||
	       budget->bytes > budget->most_bytes - budget->most_bytes / 8;
}

/* For so many words more. */
static bool make_room(struct read_log *log, struct budget *budget, size_t more)
{
	uint32_t *grown;

	if (log->words + more <= log->room)
		return true;
	if (is_spent(log, budget))
		return false;
	grown = budget_grow(budget, log->word, log->words + more, &log->room, sizeof(*grown));
	if (grown)
		log->word = grown;
	return grown;
}

static bool put_header(struct read_log *log, struct budget *budget,
		       const struct read_header *header)
{
	return word_set_put(&log->headers, budget, read_header_word(header),
			    &log->word[log->words++]);
}

static bool put_read(struct read_log *log, struct budget *budget, uint64_t value)
{
	const uint32_t in_page = (uint32_t)(value & low_mask(PAGE_WORDS_LOG2));
	uint32_t index;

	if (!word_set_put(&log->pages, budget, value - in_page, &index) ||
	    index >> (32 - PAGE_WORDS_LOG2))
		return false;
	log->word[log->words++] = index << PAGE_WORDS_LOG2 | in_page;
	return true;
}

static uint64_t value_of(const struct read_log *log, uint32_t word)
{
	return log->pages.word[word >> PAGE_WORDS_LOG2] | (word & low_mask(PAGE_WORDS_LOG2));
}

void read_log_put(struct read_log *reads, struct budget *budget, uint32_t vcpu,
		  const struct walk_log *log, const struct walk_account *account,
		  enum account_leaf s1, enum account_leaf s2)
{
	const struct read_header header = {
		.vcpu = (uint16_t)vcpu,
		.reads = (uint8_t)log->reads,
		.s1_leaf = (uint8_t)s1,
		.s2_leaf = (uint8_t)s2,
		.s1_hits = (uint8_t)account->s1_hits,
		.s2_hits = (uint8_t)(account->s2_leaf_hits + account->s2_table_hits),
	};
	bool done;

	if (reads->overflow)
		return;
	/* A page-walk cache by address stands between a walk and its reads. */
	done = !(account->pwc_hits[0] | account->pwc_hits[1] | account->pwc_misses) &&
	       account->reads == log->reads && make_room(reads, budget, 1 + log->reads) &&
	       put_header(reads, budget, &header);
	for (uint32_t i = 0; done && i < log->reads; i++)
		done = put_read(reads, budget,
				mmu_read_value(log->query[i].pa, log->query[i].cacheable,
					       log->query[i].row, log->query[i].final));
	if (!done)
		give_up(reads, budget);
}

/* ---- the other way ------------------------------------------------------------------------ */

/* Latency models of all vCPUs, then the one that they share. */
struct caches {
	const struct latency_ops *ops;
	void **own;
	void *shared;
	uint32_t vcpus;
};

static void caches_fini(struct caches *caches)
{
	for (uint32_t i = 0; caches->own && i < caches->vcpus; i++)
		free(caches->own[i]);
	free(caches->own);
	free(caches->shared);
}

static bool caches_init(struct caches *caches, const struct mmu_shape *shape)
{
	const struct latency_config own = latency_private(&shape->latency_config);
	const struct latency_config shared = latency_shared(&shape->latency_config);
	bool done;

	*caches = (struct caches){ .ops = shape->latency,
				   .own = calloc(shape->vcpus, sizeof(void *)),
				   .shared = latency_create(shape->latency, &shared),
				   .vcpus = shape->vcpus };
	done = caches->own && caches->shared;
	for (uint32_t i = 0; done && i < shape->vcpus; i++) {
		caches->own[i] = latency_create(shape->latency, &own);
		done = caches->own[i];
	}
	if (!done)
		caches_fini(caches);
	return done;
}

/* The reads of a walk, `word` on, through the caches. */
static void read_all(const struct caches *caches, const struct read_log *log,
		     const struct read_header *header, const uint32_t *word,
		     struct walk_account *account)
{
	uint64_t value[WALK_READS_MOST];
	struct latency_query query[WALK_READS_MOST];
	struct latency_result found[WALK_READS_MOST];

	for (unsigned i = 0; i < header->reads; i++) {
		value[i] = value_of(log, word[i]);
		query[i].pa = pa_of((value[i] & low_mask(MMU_READ_PA_BITS)) << 3);
		query[i].cacheable = value[i] >> MMU_READ_CACHEABLE & 1;
	}
	latency_read_all(caches->ops, caches->own[header->vcpu], caches->shared, query,
			 header->reads, found);
	for (unsigned i = 0; i < header->reads; i++)
		account_add_read(account, (uint8_t)(value[i] >> MMU_READ_LEVEL & 15),
				 value[i] >> MMU_READ_FINAL & 1, found[i]);
}

bool read_log_count(const struct read_log *log, const struct mmu_shape *shape,
		    struct time_log *times, struct budget *budget, struct stats *stats)
{
	struct walk_latencies *latencies = calloc(1, sizeof(*latencies));
	struct walk_account account = { 0 };
	struct caches caches = { 0 };
	size_t next;

	if (!latencies || !caches_init(&caches, shape)) {
		free(latencies);
		return false;
	}
	account_forget_time(stats);
	for (size_t at = 0; at < log->words; at = next) {
		const struct read_header header = read_header_of(log->headers.word[log->word[at]]);

		next = at + 1 + header.reads;
		account.reads = 0;
		account.s1_hits = header.s1_hits;
		account.s2_leaf_hits = header.s2_hits;
		account.cycles = (uint64_t)header.s1_hits * shape->s1.hit_cycles +
				 (uint64_t)header.s2_hits * shape->s2.hit_cycles;
		read_all(&caches, log, &header, &log->word[at + 1], &account);
		if (header.s1_leaf == LEAF_SIZES)
			continue;
		account_time(&account, stats, latencies, (enum account_leaf)header.s1_leaf,
			     (enum account_leaf)header.s2_leaf);
		if (times)
			time_log_put(times, budget, NULL, NULL, &account,
				     (enum account_leaf)header.s1_leaf,
				     (enum account_leaf)header.s2_leaf);
	}
	account_sums(stats);
	account_quantiles(latencies, stats);
	caches_fini(&caches);
	free(latencies);
	return true;
}
