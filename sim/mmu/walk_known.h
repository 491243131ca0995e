/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to the walker: what it asks and tells the walk caches behind its hooks. */
#ifndef TWOSTAGE_MMU_WALK_KNOWN_H
#define TWOSTAGE_MMU_WALK_KNOWN_H

#include "mmu/walk_leaf.h"

/* Do walk caches take part in the translation? */
static inline bool is_served(const struct walk *w, int stage, const struct walk_request *rq)
{
	return stage == 1 || !(w->hooks->unserved >> rq->purpose & 1);
}

PER_STAGE bool probe(const struct walk *w, const struct walk_stage *s,
		     const struct walk_request *rq, enum walk_caches caches,
		     struct walk_point *known)
{
	if (s->number == 1 && caches == WALK_CACHES && w->asked) {
		*known = w->known;
		return w->hit;
	}
	return caches == WALK_CACHES && w->hooks->probe && is_served(w, s->number, rq) &&
	       w->hooks->probe(w->hooks->ctx, s->number, rq->ia, known);
}

/* Do they want to hear of this table or leaf? */
PER_STAGE bool is_wanted(const struct walk *w, const struct walk_stage *s,
			 const struct walk_request *rq, int level, enum walk_wanted what)
{
	const struct walk_unwanted *unwanted = &w->hooks->unwanted[s->number - 1];

	if ((what == WALK_TABLES ? unwanted->tables : unwanted->leaves) >> (level + 1) & 1)
		return false;
	return w->hooks->learn && is_served(w, s->number, rq);
}

RARE void learn(const struct walk *w, int stage, uint64_t ia, struct walk_point point)
{
	w->hooks->learn(w->hooks->ctx, stage, ia, &point);
}

/* Tell them about the table that holds `entry`. */
PER_STAGE void learn_table(const struct walk *w, const struct walk_stage *s,
			   const struct walk_request *rq, const struct walk_leaf *leaf,
			   const struct walk_entry *entry)
{
	if (is_wanted(w, s, rq, entry->level, WALK_TABLES))
		learn(w, s->number, rq->ia,
		      (struct walk_point){
			      .level = (int8_t)entry->level,
			      .leaf = false,
			      .table = entry->table,
			      .table_pa = pa_of(entry->pa.v & ~low_mask(s->granule_bits)),
			      .hierarchy = leaf->hierarchy,
			      .table_s2_bits = entry->s2_bits,
			      .table_attr = entry->attr,
		      });
}

PER_STAGE void learn_leaf(const struct walk *w, const struct walk_stage *s,
			  const struct walk_request *rq, const struct walk_leaf *leaf)
{
	if (!leaf->cached && is_wanted(w, s, rq, leaf->level, WALK_LEAVES))
		learn(w, s->number, rq->ia,
		      (struct walk_point){
			      .level = (int8_t)leaf->level,
			      .leaf = true,
			      .desc = leaf->desc,
			      .hierarchy = leaf->hierarchy,
		      });
}

#endif
