/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to the walker: the read of one descriptor, and who hears of it. Nearly all walks are
 * those of a replay, whose reads go into a log and out of memory whose place is known; whatever
 * else may be wanted is kept out of their way.
 */
#ifndef TWOSTAGE_MMU_WALK_READ_H
#define TWOSTAGE_MMU_WALK_READ_H

#include "mmu/walk_hints.h"
#include "mmu/walk_leaf.h"

static inline void log_read(struct walk_log *log, struct latency_query query)
{
	const uint32_t n = log->reads;

	if (n == WALK_READS_MOST)
		return;
	log->query[n] = query;
	log->reads = n + 1;
}

PER_STAGE struct latency_query query_of(const struct walk_stage *s, const struct walk_request *rq,
					const struct walk_entry *entry)
{
	return (struct latency_query){ .pa = entry->pa,
				       .cacheable = entry->cacheable,
				       .row = (uint8_t)walk_row(s->number, entry->level),
				       .final = s->number == 2 && rq->purpose == WALK_FOR_ACCESS };
}

/* Tell whoever wants to know of a read. */
static void report_read(const struct walk *w, int stage, uint64_t ia, struct latency_query query,
			uint64_t desc, bool update)
{
	const struct walk_read read = { .pa = query.pa,
					.desc = desc,
					.ia = ia,
					.stage = (int8_t)stage,
					.level = (int8_t)walk_row_level(stage, query.row),
					.for_level = w->for_level,
					.cacheable = query.cacheable,
					.update = update };

	if (w->hooks->log)
		log_read(w->hooks->log, query);
	else if (w->hooks->read)
		w->hooks->read(w->hooks->ctx, &read);
}

static const uint64_t never_written[512];

/* The words of the page of pa. */
static inline const uint64_t *look_up(const struct phys_mem *mem, pa_t pa)
{
	const uint64_t *words = phys_words(mem, pa);

	return words ? words : never_written;
}

/* The same where `hint` does not know them, but should from now on. */
STAGE const uint64_t *look_up_anew(const struct phys_mem *mem, struct walk_hint *hint, pa_t pa)
{
	const uint64_t *words = look_up(mem, pa);

	if (words != never_written)
		*hint = (struct walk_hint){ walk_hint_key(pa), words };
	return words;
}

RARE uint64_t swapped(uint64_t desc)
{
	return __builtin_bswap64(desc);
}

/* The descriptor at pa, in the page of these words. */
static inline uint64_t load(const uint64_t *words, pa_t pa, bool big_endian)
{
	const uint64_t desc = words[pa.v >> 3 & 511];

	return big_endian ? swapped(desc) : desc;
}

PER_STAGE const uint64_t *words_of(const struct walk *w, const struct walk_stage *s,
				   const struct walk_request *rq, const struct walk_entry *entry)
{
	struct walk_hint *hint =
		entry->level == 3 && rq->purpose == WALK_FOR_ACCESS
			? walk_hint(w->hints, s->number, rq->ia, s->granule_bits)
			: &w->hints->upper[s->number - 1][(unsigned)(entry->level + 1)];

	return hint->key == walk_hint_key(entry->pa) ? hint->words
						     : look_up_anew(w->mem, hint, entry->pa);
}

/* fetch() with all that may happen at a read. */
RARE bool fetch_watched(const struct walk *w, const struct regime_stage *st, int stage, uint64_t ia,
			struct latency_query query, uint64_t *desc)
{
	if (w->mem->abort_ranges && phys_aborts(w->mem, query.pa))
		return false;
	*desc = load(look_up(w->mem, query.pa), query.pa, st->big_endian);
	report_read(w, stage, ia, query, *desc, false);
	return true;
}

/* Read entry->desc. False: a synchronous External abort. */
PER_STAGE bool fetch(const struct walk *w, const struct walk_stage *s,
		     const struct walk_request *rq, struct walk_entry *entry)
{
	const struct latency_query query = query_of(s, rq, entry);

	if (!w->log) {
		uint64_t desc;

		if (!fetch_watched(w, s->st, s->number, rq->ia, query, &desc))
			return false;
		entry->desc = desc;
		return true;
	}
	entry->desc = load(words_of(w, s, rq, entry), entry->pa, s->big_endian);
	log_read(w->log, query);
	return true;
}

#endif
