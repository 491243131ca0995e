/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/time_log.h"

#include <string.h>

enum { FIRST_ROOM = 256, MOST_ROOM = 1 << 16 };

/* The parts of a key, by the bit where they begin; behind the last is one that is always set. */
enum { KEY_READS = 0, KEY_S1_HITS = 24, KEY_S2_HITS = 32, KEY_PWC_HITS = 40, KEY_LEAVES = 48 };
enum { PLACE_BITS = 6, HITS_BITS = 8, KEY_USED = 52 };

void time_log_fini(struct time_log *log)
{
	free(log->kind);
	memset(log, 0, sizeof(*log));
}

size_t time_log_bytes(const struct time_log *log)
{
	return log->room * sizeof(*log->kind);
}

/* Where the table has a kind, or has room for it. */
static struct time_kind *kind_of(const struct time_log *log, uint64_t key)
{
	size_t i = key * UINT64_C(0x9e3779b97f4a7c15) >> 40;

	for (;; i++) {
		struct time_kind *kind = &log->kind[i & (log->room - 1)];

		if (kind->key == key || !kind->key)
			return kind;
	}
}

static bool grow(struct time_log *log, struct budget *budget)
{
	const struct time_log old = *log;
	const size_t room = old.room ? old.room * 2 : FIRST_ROOM;
	const size_t more = (room - old.room) * sizeof(*log->kind);

	if (room > MOST_ROOM || budget->bytes + more > budget->most_bytes)
		return false;
	log->kind = calloc(room, sizeof(*log->kind));
	if (!log->kind) {
		log->kind = old.kind;
		return false;
	}
	log->room = room;
	budget->bytes += more;
	for (size_t i = 0; i < old.room; i++)
		if (old.kind[i].key)
			*kind_of(log, old.kind[i].key) = old.kind[i];
	free(old.kind);
	return true;
}

/* The reads of a walk in its key. */
static uint64_t key_of_reads(struct time_log *log, const struct walk_log *reads,
			     const struct latency_result *found, const struct walk_account *account)
{
	uint64_t key = 0;

	for (uint32_t i = 0; found && i < account->reads; i++) {
		const unsigned place = found[i].found_in;

		key += UINT64_C(1) << place * PLACE_BITS;
		log->final[place] += reads->query[i].final;
	}
	for (uint32_t i = 0; !found && i < account->reads; i++) {
		const struct account_read *read = &account->read[i];

		key += UINT64_C(1) << read->place * PLACE_BITS;
		log->final[read->place] += read->final;
	}
	return key;
}

void time_log_put(struct time_log *log, struct budget *budget, const struct walk_log *reads,
		  const struct latency_result *found, const struct walk_account *account,
		  enum account_leaf s1, enum account_leaf s2)
{
	const uint64_t s2_hits = account->s2_leaf_hits + account->s2_table_hits;
	const uint64_t pwc_hits = account->pwc_hits[0] + account->pwc_hits[1];
	uint64_t key = UINT64_C(1) << KEY_USED | (uint64_t)account->s1_hits << KEY_S1_HITS |
		       s2_hits << KEY_S2_HITS | pwc_hits << KEY_PWC_HITS |
		       (uint64_t)(s1 * LEAF_SIZES + s2) << KEY_LEAVES;
	struct time_kind *kind;

	if (log->overflow || s1 == LEAF_SIZES)
		return;
	if (account->reads >= 1 << PLACE_BITS ||
	    (account->s1_hits | s2_hits | pwc_hits) >> HITS_BITS ||
	    (log->kinds * 2 >= log->room && !grow(log, budget))) {
		log->overflow = true;
		return;
	}
	key += key_of_reads(log, reads, found, account);
	kind = kind_of(log, key);
	log->kinds += !kind->key;
	kind->key = key;
	kind->walks++;
}

/* ---- the other way ------------------------------------------------------------------------ */

static uint64_t part(uint64_t key, unsigned first, unsigned bits)
{
	return key >> first & low_mask(bits);
}

/* Cycles of each walk of a kind. */
static uint64_t cycles_of(const struct mmu_shape *shape, const uint32_t cycles[FOUND_COUNT],
			  uint64_t key)
{
	uint64_t sum = part(key, KEY_S1_HITS, HITS_BITS) * shape->s1.hit_cycles +
		       part(key, KEY_S2_HITS, HITS_BITS) * shape->s2.hit_cycles +
		       part(key, KEY_PWC_HITS, HITS_BITS) * shape->pwc.hit_cycles;

	for (unsigned place = 0; place < FOUND_COUNT; place++)
		sum += part(key, KEY_READS + place * PLACE_BITS, PLACE_BITS) * cycles[place];
	return sum;
}

bool time_log_count(const struct time_log *log, const struct mmu_shape *shape, struct stats *stats)
{
	struct walk_latencies *latencies;
	uint32_t cycles[FOUND_COUNT];

	if (!shape->latency->cycles)
		return false;
	latencies = calloc(1, sizeof(*latencies));
	if (!latencies)
		return false;
	for (unsigned place = 0; place < FOUND_COUNT; place++)
		cycles[place] =
			shape->latency->cycles(&shape->latency_config, (enum found_in)place);
	account_time_reads(stats, cycles, log->final);
	for (size_t i = 0; i < log->room; i++) {
		const struct time_kind *kind = &log->kind[i];
		const unsigned leaves =
			(unsigned)part(kind->key, KEY_LEAVES, KEY_USED - KEY_LEAVES);

		if (kind->key)
			account_time_walks(stats, latencies,
					   (enum account_leaf)(leaves / LEAF_SIZES),
					   (enum account_leaf)(leaves % LEAF_SIZES),
					   cycles_of(shape, cycles, kind->key), kind->walks);
	}
	account_quantiles(latencies, stats);
	free(latencies);
	return true;
}
