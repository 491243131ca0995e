/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem/pgtable.h"

void pgtable_init(struct pgtable *table, struct phys_mem *mem, const struct pgtable_ops *ops,
		  void *ctx, struct desc_format format, int start_level, unsigned ia_bits,
		  uint64_t root)
{
	*table = (struct pgtable){
		.mem = mem,
		.ops = ops,
		.ctx = ctx,
		.format = format,
		.start_level = start_level,
		.ia_bits = ia_bits,
		.root = root,
		.last_level = -2, /* no table yet */
	};
}

/* The root's index is wider than a stride when tables are concatenated. */
static pa_t entry_of(const struct pgtable *table, uint64_t at, int level, uint64_t ia)
{
	const unsigned shift = level_shift(table->format.granule, level);
	const unsigned index_bits = level == table->start_level
					    ? table->ia_bits - shift
					    : granule_stride(table->format.granule);

	return table->ops->locate(table->ctx, at + ((ia >> shift & low_mask(index_bits)) << 3));
}

/* Entry for ia at `level`, tables allocated on the way. */
static enum pgtable_result descend(struct pgtable *table, uint64_t ia, int level, pa_t *entry)
{
	const uint64_t prefix = ia >> level_shift(table->format.granule, level - 1);
	uint64_t at = table->root;

	if (level == table->last_level && prefix == table->last_prefix) {
		*entry = entry_of(table, table->last_table, level, ia);
		return PGTABLE_OK;
	}
	for (int l = table->start_level; l < level; l++) {
		const pa_t slot = entry_of(table, at, l, ia);
		const uint64_t desc = phys_read64(table->mem, slot);

		if (desc_kind(&table->format, desc, l) == DESC_KIND_TABLE) {
			at = desc_address(&table->format, desc);
			continue;
		}
		if (desc & DESC_VALID)
			return PGTABLE_OCCUPIED;
		if (!table->ops->alloc(table->ctx, &at) ||
		    !phys_write64(table->mem, slot, desc_table(&table->format, at)))
			return PGTABLE_NO_MEMORY;
		table->pages++;
	}
	if (level > table->start_level) {
		table->last_level = level;
		table->last_prefix = prefix;
		table->last_table = at;
	}
	*entry = entry_of(table, at, level, ia);
	return PGTABLE_OK;
}

enum pgtable_result pgtable_map(struct pgtable *table, uint64_t ia, int level, uint64_t oa,
				uint64_t attributes)
{
	pa_t entry;
	const enum pgtable_result result = descend(table, ia, level, &entry);

	if (result != PGTABLE_OK)
		return result;
	if (phys_read64(table->mem, entry) & DESC_VALID)
		return PGTABLE_OCCUPIED;
	if (!phys_write64(table->mem, entry, desc_leaf(&table->format, level, oa, attributes)))
		return PGTABLE_NO_MEMORY;
	table->leaves[level]++;
	return PGTABLE_OK;
}

/* The entry that decides about ia: a leaf, or the first invalid one. */
static uint64_t last_entry(const struct pgtable *table, uint64_t ia, int *level, pa_t *entry)
{
	uint64_t at = table->root;

	for (*level = table->start_level;; (*level)++) {
		*entry = entry_of(table, at, *level, ia);
		const uint64_t desc = phys_read64(table->mem, *entry);

		if (desc_kind(&table->format, desc, *level) != DESC_KIND_TABLE)
			return desc;
		at = desc_address(&table->format, desc);
	}
}

uint64_t pgtable_find(const struct pgtable *table, uint64_t ia, int *level)
{
	pa_t entry;
	const uint64_t desc = last_entry(table, ia, level, &entry);

	return desc & DESC_VALID ? desc : 0;
}

uint64_t pgtable_clear(struct pgtable *table, uint64_t ia, uint64_t first, uint64_t last)
{
	int level;
	pa_t entry;
	const uint64_t desc = last_entry(table, ia, &level, &entry);
	const uint64_t size_mask = low_mask(level_shift(table->format.granule, level));
	const uint64_t begin = ia & ~size_mask, end = ia | size_mask;

	/* Writing to a word that exists cannot run out of memory. */
	if ((desc & DESC_VALID) && begin >= first && end <= last &&
	    phys_write64(table->mem, entry, 0))
		table->leaves[level]--;
	return end - ia + 1;
}
