/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem/pgtable.h"

#include "mem/near.h"

enum { LAST_NONE = -2 }; /* last_level: no table yet */

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
		.last_level = LAST_NONE,
		.near_owner = near_owner(mem),
	};
}

/* A table is gone. */
static void forget(struct pgtable *table)
{
	table->last_level = LAST_NONE;
	table->near_owner = near_owner(table->mem);
}

static const struct near_entries *find_near(const struct pgtable *table, uint64_t ia)
{
	return near_find(table->mem, table->near_owner, near_place(table->format.granule, ia));
}

/* `entry` is that of ia, of level 3. */
static void keep_near(const struct pgtable *table, uint64_t ia, pa_t entry)
{
	near_keep(table->mem, table->near_owner, near_place(table->format.granule, ia), entry);
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

static enum pgtable_result map_near(struct pgtable *table, const struct near_entries *near,
				    uint64_t ia, uint64_t oa, uint64_t attributes)
{
	const uint64_t index = near_index(table->format.granule, ia);

	if (near->words[index] & DESC_VALID)
		return PGTABLE_OCCUPIED;
	phys_put64(table->mem, near->words, near_pa(near, index),
		   desc_leaf(&table->format, 3, oa, attributes));
	table->leaves[3]++;
	return PGTABLE_OK;
}

enum pgtable_result pgtable_map(struct pgtable *table, uint64_t ia, int level, uint64_t oa,
				uint64_t attributes)
{
	const struct near_entries *near = level == 3 ? find_near(table, ia) : NULL;
	enum pgtable_result result;
	pa_t entry;

	if (near)
		return map_near(table, near, ia, oa, attributes);
	result = descend(table, ia, level, &entry);
	if (result != PGTABLE_OK)
		return result;
	if (phys_read64(table->mem, entry) & DESC_VALID)
		return PGTABLE_OCCUPIED;
	if (!phys_write64(table->mem, entry, desc_leaf(&table->format, level, oa, attributes)))
		return PGTABLE_NO_MEMORY;
	table->leaves[level]++;
	if (level == 3)
		keep_near(table, ia, entry);
	return PGTABLE_OK;
}

/* The entry that decides about ia: a leaf, or the first invalid one. */
static uint64_t last_entry(const struct pgtable *table, uint64_t ia, int *level, pa_t *entry)
{
	const struct near_entries *near = find_near(table, ia);
	uint64_t at = table->root;

	if (near) {
		const uint64_t index = near_index(table->format.granule, ia);

		*level = 3;
		*entry = near_pa(near, index);
		return near->words[index];
	}
	for (*level = table->start_level;; (*level)++) {
		*entry = entry_of(table, at, *level, ia);
		const uint64_t desc = phys_read64(table->mem, *entry);

		if (desc_kind(&table->format, desc, *level) != DESC_KIND_TABLE)
			return desc;
		at = desc_address(&table->format, desc);
	}
}

/* pgtable_hole_bits() where 4 KiB of a table of level 3 are: is ia mapped, or its set of pages? */
static unsigned page_hole_bits(const struct pgtable *table, const uint64_t *words, uint64_t ia)
{
	const enum granule granule = table->format.granule;
	const unsigned span_bits = desc_contiguous_bits(granule, 3);
	const uint64_t pages = UINT64_C(1) << (span_bits - granule);
	const uint64_t own = ia >> granule & (pages - 1);
	uint64_t valid = 0;

	/* The entries of a set never straddle a page of memory. */
	if (!words)
		return span_bits;
	words += near_index(granule, ia) & ~(pages - 1);
	if (words[own] & DESC_VALID)
		return 0;
	for (uint64_t i = 0; i < pages; i++)
		valid |= words[i];
	return valid & DESC_VALID ? (unsigned)granule : span_bits;
}

unsigned pgtable_hole_bits(const struct pgtable *table, uint64_t ia)
{
	const enum granule granule = table->format.granule;
	const struct near_entries *near = find_near(table, ia);
	uint64_t at = table->root;
	pa_t entry;

	if (near)
		return page_hole_bits(table, near->words, ia);
	for (int level = table->start_level; level < 3; level++) {
		const uint64_t desc = phys_read64(table->mem, entry_of(table, at, level, ia));

		if (!(desc & DESC_VALID))
			return level_shift(granule, level);
		if (desc_kind(&table->format, desc, level) != DESC_KIND_TABLE)
			return 0;
		at = desc_address(&table->format, desc);
	}
	entry = entry_of(table, at, 3, ia);
	keep_near(table, ia, entry);
	return page_hole_bits(table, phys_words(table->mem, entry), ia);
}

bool pgtable_next(const struct pgtable *table, uint64_t ia, uint64_t last,
		  struct pgtable_leaf *leaf)
{
	while (ia <= last) {
		int level;
		pa_t entry;
		const uint64_t desc = last_entry(table, ia, &level, &entry);
		const unsigned shift = level_shift(table->format.granule, level);
		const uint64_t end = ia | low_mask(shift);

		if (desc & DESC_VALID) {
			*leaf = (struct pgtable_leaf){ ia & ~low_mask(shift), desc, level, shift };
			return true;
		}
		if (end >= last)
			return false;
		ia = end + 1;
	}
	return false;
}

/* Of `entries` entries of level 3. */
static uint64_t contiguous_pages(const struct pgtable *table, uint64_t at, uint64_t entries)
{
	const uint64_t in_page = UINT64_C(1) << NEAR_ENTRY_BITS;
	uint64_t count = 0;

	for (uint64_t i = 0; i < entries; i += in_page) {
		const pa_t pa = table->ops->locate(table->ctx, at + i * 8);
		const uint64_t *words = phys_words(table->mem, pa);

		/* The one bit is moved to the place of the other, which needs no branch. */
		for (uint64_t j = 0; words && j < in_page && i + j < entries; j++)
			count += words[j] / (DESC_CONTIGUOUS / DESC_VALID) & words[j] & DESC_VALID;
	}
	return count;
}

static uint64_t contiguous_in(const struct pgtable *table, uint64_t at, int level)
{
	const enum granule granule = table->format.granule;
	const uint64_t entries = UINT64_C(1)
				 << (level == table->start_level
					     ? table->ia_bits - level_shift(granule, level)
					     : granule_stride(granule));
	const uint64_t *words = NULL;
	uint64_t count = 0;

	if (level == 3)
		return contiguous_pages(table, at, entries);
	for (uint64_t i = 0; i < entries; i++) {
		const uint64_t address = at + i * 8;
		const uint64_t in_page = address >> 3 & low_mask(PHYS_PAGE_BITS - 3);
		uint64_t desc;

		/* The pages of a table need not be neighbours. */
		if (i == 0 || in_page == 0)
			words = phys_words(table->mem, table->ops->locate(table->ctx, address));
		desc = words ? words[in_page] : 0;
		if (desc_kind(&table->format, desc, level) == DESC_KIND_TABLE)
			count +=
				contiguous_in(table, desc_address(&table->format, desc), level + 1);
		else
			count += (desc & DESC_VALID) && (desc & DESC_CONTIGUOUS);
	}
	return count;
}

uint64_t pgtable_contiguous(const struct pgtable *table)
{
	return contiguous_in(table, table->root, table->start_level);
}

void pgtable_replace(struct pgtable *table, uint64_t ia, uint64_t desc)
{
	int level;
	pa_t entry;

	/* Writing to a word that exists cannot run out of memory. */
	if ((last_entry(table, ia, &level, &entry) & DESC_VALID) &&
	    phys_write64(table->mem, entry, desc) && !(desc & DESC_VALID))
		table->leaves[level]--;
}

bool pgtable_split(struct pgtable *table, uint64_t ia)
{
	const struct desc_format *format = &table->format;
	const unsigned stride = granule_stride(format->granule);
	int level;
	pa_t entry;
	const uint64_t desc = last_entry(table, ia, &level, &entry);
	const unsigned bits = level_shift(format->granule, level), to_bits = bits - stride;
	const uint64_t oa = desc_leaf_address(format, desc, bits);
	/* What is left when address and type are taken out. */
	const uint64_t attributes =
		desc & ~(desc_put_address(format, oa) | DESC_TABLE | DESC_VALID | DESC_CONTIGUOUS);
	uint64_t at;

	if (!table->ops->alloc(table->ctx, &at))
		return false;
	for (uint64_t i = 0; i < UINT64_C(1) << stride; i++)
		if (!phys_write64(table->mem, table->ops->locate(table->ctx, at + (i << 3)),
				  desc_leaf(format, level + 1, oa | i << to_bits, attributes)))
			return false;
	if (!phys_write64(table->mem, entry, desc_table(format, at)))
		return false;
	table->pages++;
	table->leaves[level]--;
	table->leaves[level + 1] += UINT64_C(1) << stride;
	return true;
}

struct prune {
	struct pgtable *table;
	uint64_t first, last;
	void (*release)(void *ctx, uint64_t address);
	void *ctx;
};

static bool prune_table(const struct prune *prune, uint64_t at, int level, uint64_t base);

/* Entries first..last of the table at `at`, which begins at IA `base`: are they all invalid now? */
static bool prune_entries(const struct prune *prune, uint64_t at, int level, uint64_t base,
			  uint64_t first, uint64_t last)
{
	struct pgtable *table = prune->table;
	const unsigned shift = level_shift(table->format.granule, level);
	bool empty = true;

	for (uint64_t i = first; i <= last; i++) {
		const pa_t entry = table->ops->locate(table->ctx, at + (i << 3));
		const uint64_t desc = phys_read64(table->mem, entry);
		const uint64_t next = desc_address(&table->format, desc);

		if (!(desc & DESC_VALID))
			continue;
		if (desc_kind(&table->format, desc, level) != DESC_KIND_TABLE ||
		    !prune_table(prune, next, level + 1, base + (i << shift)) ||
		    !phys_write64(table->mem, entry, 0)) {
			empty = false;
			continue;
		}
		prune->release(prune->ctx, next);
		table->pages--;
		forget(table);
	}
	return empty;
}

/* Entries in the range first: a table that is in use is mostly found so at once. */
static bool prune_table(const struct prune *prune, uint64_t at, int level, uint64_t base)
{
	const struct pgtable *table = prune->table;
	const enum granule granule = table->format.granule;
	const unsigned shift = level_shift(granule, level);
	const bool root = level == table->start_level;
	const uint64_t count = UINT64_C(1)
			       << (root ? table->ia_bits - shift : granule_stride(granule));
	const uint64_t end = base + (count << shift) - 1;
	const uint64_t first = prune->first > base ? (prune->first - base) >> shift : 0;
	const uint64_t last = prune->last < end ? (prune->last - base) >> shift : count - 1;

	if (!prune_entries(prune, at, level, base, first, last) || root)
		return false;
	for (uint64_t i = 0; i < count; i++)
		if (phys_read64(table->mem, table->ops->locate(table->ctx, at + (i << 3))) &
		    DESC_VALID)
			return false;
	return true;
}

void pgtable_prune(struct pgtable *table, uint64_t first, uint64_t last,
		   void (*release)(void *ctx, uint64_t address), void *ctx)
{
	const struct prune prune = { table, first, last, release, ctx };

	prune_table(&prune, table->root, table->start_level, 0);
}
