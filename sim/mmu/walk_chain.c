/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/walk_chain.h"

void walk_chain_learn(struct walk_chains *chains, const struct phys_mem *mem,
		      const struct regime_stage *st, uint64_t ia, int level)
{
	const uint64_t area = chain_area(st, ia);
	struct walk_chain *chain = chain_of(chains, area);
	uint64_t at = st->base;

	*chain = (struct walk_chain){ .area = area, .base = st->base, .level = (int8_t)level };
	for (int l = st->start_level;; l++) {
		const unsigned shift = st->granule_bits + (unsigned)(3 - l) * st->stride_bits;
		const uint64_t index =
			ia >> shift & (l == st->start_level ? ~UINT64_C(0) : st->index_mask);
		const pa_t pa = pa_of(at | index << 3);
		const uint64_t *words = phys_words(mem, pa);

		/* A page that was never written holds no valid descriptor. */
		if (!words)
			return;
		if (l == level) {
			/* Not so in a start table that is smaller than a page. */
			if ((pa.v >> 3 ^ index) & low_mask(CHAIN_INDEX_BITS))
				return;
			chain->page = pa_of(pa.v & ~low_mask(PHYS_PAGE_BITS));
			chain->words = words;
			chain->moves = mem->moves + 1;
			return;
		}
		const uint64_t *word = &words[pa.v >> 3 & low_mask(CHAIN_INDEX_BITS)];

		chain->table[chain->tables++] =
			(struct chain_table){ .word = word, .desc = *word, .pa = pa };
		at = desc_address(&st->format, *word);
	}
}
