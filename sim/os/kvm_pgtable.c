/* SPDX-License-Identifier: BSD-2-Clause */
/* The walker, tables and TLB maintenance of KVM's stage-2 page tables. */
#include "os/kvm_pgtable_private.h"

#include "arch/geometry.h"
#include "mem/near.h"

enum { LEVELS_MAX = 5, ROOT_TABLES_MAX = 16 };

#define MAX_TLBI_RANGE_PAGES (UINT64_C(1) << 21) /* __TLBI_RANGE_PAGES(31, 3) */

unsigned kvm_pgtable_levels(enum granule granule, unsigned ia_bits)
{
	const unsigned levels = geometry_kvm_levels(granule, ia_bits);

	return levels < 2 ? 2 : levels;
}

static uint64_t root_tables(enum granule granule, unsigned ia_bits, int start_level)
{
	return (low_mask(ia_bits) >> level_shift(granule, start_level - 1)) + 1;
}

/* Levels that resolve all bits without concatenation. */
static unsigned plain_levels(enum granule granule, unsigned ia_bits)
{
	const unsigned stride = granule_stride(granule);

	return (ia_bits - granule + stride - 1) / stride;
}

bool kvm_pgtable_start_level(const struct kvm_pgtable_setup *setup, int *level)
{
	unsigned levels = kvm_pgtable_levels(setup->granule, setup->ia_bits);
	const unsigned plain = plain_levels(setup->granule, setup->ia_bits);
	const unsigned most = setup->host_levels ? setup->host_levels : LEVELS_MAX;

	if (setup->start == KVM_START_PLAIN && plain > levels)
		levels = plain < most ? plain : most;
	*level = KVM_LEVELS - (int)levels;
	if (setup->start == KVM_START_LEVEL)
		*level = setup->start_level;
	return KVM_LEVELS - *level <= (int)most &&
	       root_tables(setup->granule, setup->ia_bits, *level) <= ROOT_TABLES_MAX;
}

/* Zeroed tables whose words exist from now on. */
static bool tables_alloc(struct kvm_pgtable *pgt, unsigned count, pa_t *out)
{
	const uint64_t bytes = (uint64_t)count << pgt->setup.granule;

	if (!pgt->ops->alloc(pgt->ctx, count, out))
		return false;
	for (uint64_t at = 0; at < bytes; at += UINT64_C(1) << PHYS_PAGE_BITS) {
		if (!phys_write64(pgt->mem, pa_of(out->v + at), DESC_VALID)) {
			pgt->ops->free(pgt->ctx, count, *out);
			return false;
		}
		kvm_write_pte(pgt, pa_of(out->v + at), 0);
	}
	return true;
}

static void tables_free(struct kvm_pgtable *pgt, unsigned count, pa_t tables)
{
	const uint64_t bytes = (uint64_t)count << pgt->setup.granule;

	for (uint64_t at = 0; at < bytes; at += UINT64_C(1) << PHYS_PAGE_BITS)
		phys_free_page(pgt->mem, pa_of(tables.v + at));
	pgt->ops->free(pgt->ctx, count, tables);
}

bool kvm_table_take(struct kvm_pgtable *pgt, struct kvm_table_cache *cache, pa_t *out)
{
	if (!cache || cache->pages == 0 || !tables_alloc(pgt, 1, out))
		return false;
	if (cache->pages != UINT64_MAX)
		cache->pages--;
	pgt->tables++;
	pgt->counts.tables_allocated++;
	return true;
}

void kvm_table_put(struct kvm_pgtable *pgt, pa_t table)
{
	tables_free(pgt, 1, table);
	pgt->near_owner = near_owner(pgt->mem);
	pgt->tables--;
	pgt->counts.tables_freed++;
}

bool kvm_table_empty(const struct kvm_pgtable *pgt, pa_t table)
{
	for (uint64_t at = 0; at < UINT64_C(1) << pgt->setup.granule; at += 8) {
		if (phys_read64(pgt->mem, pa_of(table.v + at)))
			return false;
	}
	return true;
}

enum kvm_result kvm_pgtable_init(struct kvm_pgtable *pgt, const struct kvm_pgtable_setup *setup,
				 struct phys_mem *mem, const struct kvm_pgtable_ops *ops, void *ctx)
{
	const bool ds = setup->lpa2 && setup->granule != GRANULE_64K;

	*pgt = (struct kvm_pgtable){ .setup = *setup, .mem = mem, .ops = ops, .ctx = ctx };
	pgt->near_owner = near_owner(mem);
	pgt->format = desc_format_of(setup->granule, ds, setup->lpa2 ? 52 : 48);
	if (!kvm_pgtable_start_level(setup, &pgt->start_level))
		return KVM_BAD_RANGE;
	pgt->root_tables = (unsigned)root_tables(setup->granule, setup->ia_bits, pgt->start_level);
	pgt->fake_levels = kvm_fake_levels(setup->walker, setup->host_levels,
					   (unsigned)(KVM_LEVELS - pgt->start_level));
	return tables_alloc(pgt, pgt->root_tables, &pgt->root) ? KVM_OK : KVM_NO_MEMORY;
}

/* ---- the generic walker ------------------------------------------------------------------- */

/* kvm_pgtable_walk_continue() */
static bool goes_on(const struct kvm_walker *walker, enum kvm_result result)
{
	if (result == KVM_AGAIN)
		return !(walker->flags & KVM_WALK_HANDLE_FAULT);
	return result == KVM_OK;
}

static enum kvm_result walk_table(struct kvm_visit *at, const struct kvm_walker *walker, pa_t table,
				  int level);

/* One entry (__kvm_pgtable_visit). `at` holds the walk's addresses; `addr` is moved behind it. */
static enum kvm_result visit_entry(struct kvm_visit *at, const struct kvm_walker *walker,
				   pa_t entry, int level)
{
	struct kvm_pgtable *pgt = at->pgt;
	struct kvm_visit here = *at;
	enum kvm_result result = KVM_OK;
	bool table;

	pgt->software_steps++;
	here.entry = entry;
	here.level = level;
	here.old = phys_read64(pgt->mem, entry);
	table = kvm_pte_table(pgt, here.old, level);
	if (table && (walker->flags & KVM_WALK_TABLE_PRE))
		result = walker->visit(&here, KVM_WALK_TABLE_PRE);
	if (!table && (walker->flags & KVM_WALK_LEAF))
		result = walker->visit(&here, KVM_WALK_LEAF);
	/* A visitor may have put a table in, or replaced one. */
	here.old = phys_read64(pgt->mem, entry);
	table = kvm_pte_table(pgt, here.old, level);
	if (!goes_on(walker, result))
		return result;
	if (!table) {
		const uint64_t bytes = kvm_leaf_bytes(pgt, level);

		at->addr = (at->addr & ~(bytes - 1)) + bytes;
		return KVM_OK;
	}
	result = walk_table(at, walker, kvm_pte_follow(pgt, here.old), level + 1);
	if (goes_on(walker, result) && (walker->flags & KVM_WALK_TABLE_POST))
		result = walker->visit(&here, KVM_WALK_TABLE_POST);
	return goes_on(walker, result) ? KVM_OK : result;
}

/* The entries of a table of the last level that are no concern of the walker's: all visited. */
static void pass_entries(struct kvm_visit *at)
{
	const enum granule granule = at->pgt->setup.granule;
	const uint64_t table_end =
		(at->addr | low_mask(level_shift(granule, KVM_LAST_LEVEL - 1))) + 1;
	const uint64_t end = at->end < table_end ? at->end : table_end;

	at->pgt->software_steps += (end - at->addr + low_mask(granule)) >> granule;
	at->addr = end;
}

/* The entries of one table, from that of at->addr on (__kvm_pgtable_walk). */
static enum kvm_result walk_table(struct kvm_visit *at, const struct kvm_walker *walker, pa_t table,
				  int level)
{
	const unsigned stride = granule_stride(at->pgt->setup.granule);
	const unsigned shift = level_shift(at->pgt->setup.granule, level);
	enum kvm_result result = KVM_OK;

	if (level == KVM_LAST_LEVEL && !(walker->flags & KVM_WALK_LEAF)) {
		pass_entries(at);
		return KVM_OK;
	}
	for (uint64_t index = at->addr >> shift & low_mask(stride);
	     index <= low_mask(stride) && at->addr < at->end && result == KVM_OK; index++)
		result = visit_entry(at, walker, pa_of(table.v + index * 8), level);
	return result;
}

enum kvm_result kvm_pgtable_walk(struct kvm_pgtable *pgt, uint64_t addr, uint64_t bytes,
				 const struct kvm_walker *walker)
{
	const uint64_t page_mask = low_mask(pgt->setup.granule);
	const uint64_t limit = UINT64_C(1) << pgt->setup.ia_bits;
	const unsigned root_shift = level_shift(pgt->setup.granule, pgt->start_level - 1);
	struct kvm_visit at = { .pgt = pgt, .arg = walker->arg, .flags = walker->flags };
	enum kvm_result result = KVM_OK;

	if (addr >= limit || bytes > limit - (addr & ~page_mask))
		return KVM_BAD_RANGE;
	at.start = at.addr = addr & ~page_mask;
	at.end = (at.addr + bytes + page_mask) & ~page_mask;
	while (at.addr < at.end && result == KVM_OK) {
		const uint64_t page = at.addr >> root_shift << pgt->setup.granule;

		pgt->software_steps += pgt->fake_levels;
		pgt->fake_steps += pgt->fake_levels;
		result = walk_table(&at, walker, pa_of(pgt->root.v + page), pgt->start_level);
	}
	return result;
}

enum kvm_result kvm_walk_unlinked(struct kvm_pgtable *pgt, pa_t table, int table_level,
				  const struct kvm_walker *walker)
{
	struct kvm_visit at = { .pgt = pgt, .arg = walker->arg, .flags = walker->flags };

	at.end = kvm_leaf_bytes(pgt, table_level - 1);
	return walk_table(&at, walker, table, table_level);
}

/* stage2_free_walker(): tables are freed behind their entries. */
static enum kvm_result free_visit(const struct kvm_visit *visit, enum kvm_walk_flags kind)
{
	(void)kind;
	kvm_table_put(visit->pgt, kvm_pte_follow(visit->pgt, visit->old));
	return KVM_OK;
}

static const struct kvm_walker free_walker = { .visit = free_visit, .flags = KVM_WALK_TABLE_POST };

void kvm_free_unlinked(struct kvm_pgtable *pgt, pa_t table, int level)
{
	kvm_walk_unlinked(pgt, table, level + 1, &free_walker);
	kvm_table_put(pgt, table);
}

void kvm_pgtable_fini(struct kvm_pgtable *pgt)
{
	kvm_pgtable_walk(pgt, 0, UINT64_C(1) << pgt->setup.ia_bits, &free_walker);
	tables_free(pgt, pgt->root_tables, pgt->root);
}

/* ---- one address -------------------------------------------------------------------------- */

uint64_t kvm_find_leaf(const struct kvm_pgtable *pgt, uint64_t ipa, int *level, pa_t *entry)
{
	const enum granule granule = pgt->setup.granule;
	const unsigned stride = granule_stride(granule);
	const uint64_t place = near_place(granule, ipa);
	const struct near_entries *near = near_find(pgt->mem, pgt->near_owner, place);
	uint64_t table = pgt->root.v;

	if (near) {
		*level = KVM_LAST_LEVEL;
		*entry = near_pa(near, near_index(granule, ipa));
		return near->words[near_index(granule, ipa)];
	}
	table += ipa >> level_shift(granule, pgt->start_level - 1) << granule;
	for (*level = pgt->start_level;; (*level)++) {
		const uint64_t index = ipa >> level_shift(granule, *level) & low_mask(stride);
		uint64_t desc;

		*entry = pa_of(table + index * 8);
		desc = phys_read64(pgt->mem, *entry);
		if (*level == KVM_LAST_LEVEL)
			near_keep(pgt->mem, pgt->near_owner, place, *entry);
		if (!kvm_pte_table(pgt, desc, *level))
			return desc;
		table = desc_address(&pgt->format, desc);
	}
}

uint64_t kvm_pgtable_get_leaf(const struct kvm_pgtable *pgt, uint64_t ipa, int *level)
{
	pa_t entry;

	return kvm_find_leaf(pgt, ipa, level, &entry);
}

/* Valid entries of a table of the last level, from `from` to before `to`. */
static uint64_t count_pages(const struct kvm_pgtable *pgt, pa_t table, uint64_t from, uint64_t to)
{
	const uint64_t in_page = low_mask(NEAR_ENTRY_BITS);
	uint64_t count = 0, next;

	for (uint64_t i = from; i < to; i = next) {
		const uint64_t *words = phys_words(pgt->mem, pa_of(table.v + i * 8));
		const uint64_t first = i & ~in_page;

		next = (i | in_page) + 1 < to ? (i | in_page) + 1 : to;
		for (uint64_t j = i - first; words && j < next - first; j++)
			count += words[j] & DESC_VALID;
	}
	return count;
}

/* Of the leaves of one table, those that lie in [first, last]. */
static void count_table(const struct kvm_pgtable *pgt, pa_t table, int level, uint64_t base,
			uint64_t first, uint64_t last, uint64_t leaves[KVM_LEVELS])
{
	const unsigned shift = level_shift(pgt->setup.granule, level);
	const uint64_t entries = UINT64_C(1) << granule_stride(pgt->setup.granule);
	const uint64_t from = first > base ? (first - base) >> shift : 0;
	const uint64_t *words = NULL;

	if (level == KVM_LAST_LEVEL) {
		const uint64_t most = ((last - base) >> shift) + 1;

		leaves[level] += count_pages(pgt, table, from, most < entries ? most : entries);
		return;
	}
	for (uint64_t i = from; i < entries && base + (i << shift) <= last; i++) {
		const pa_t entry = pa_of(table.v + i * 8);
		uint64_t desc;

		if (!words || (entry.v & low_mask(PHYS_PAGE_BITS)) == 0)
			words = phys_words(pgt->mem, entry);
		desc = words ? words[entry.v >> 3 & low_mask(PHYS_PAGE_BITS - 3)] : 0;
		if (kvm_pte_table(pgt, desc, level))
			count_table(pgt, kvm_pte_follow(pgt, desc), level + 1, base + (i << shift),
				    first, last, leaves);
		else
			leaves[level] += desc & DESC_VALID;
	}
}

void kvm_pgtable_count_leaves(const struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes,
			      uint64_t leaves[KVM_LEVELS])
{
	const unsigned root_shift = level_shift(pgt->setup.granule, pgt->start_level - 1);

	for (uint64_t i = ipa >> root_shift; i <= (ipa + bytes - 1) >> root_shift; i++)
		count_table(pgt, pa_of(pgt->root.v + (i << pgt->setup.granule)), pgt->start_level,
			    i << root_shift, ipa, ipa + bytes - 1, leaves);
}

void kvm_pgtable_hw_access(struct kvm_pgtable *pgt, uint64_t ipa)
{
	int level;
	pa_t entry;
	const uint64_t desc = kvm_find_leaf(pgt, ipa, &level, &entry);

	if (desc & DESC_VALID)
		kvm_write_pte(pgt, entry, desc | DESC_AF);
}

/* ---- TLB maintenance ---------------------------------------------------------------------- */

void kvm_tlbi_send(struct kvm_pgtable *pgt, enum kvm_tlbi_kind kind, int level, uint64_t ipa,
		   uint64_t bytes)
{
	const struct kvm_tlbi tlbi = { .kind = kind, .level = level, .ipa = ipa, .bytes = bytes };

	pgt->sent[kind]++;
	if (pgt->ops->tlbi)
		pgt->ops->tlbi(pgt->ctx, &tlbi);
}

void kvm_pgtable_flush_all(struct kvm_pgtable *pgt)
{
	kvm_tlbi_send(pgt, KVM_TLBI_VMID, KVM_TTL_UNKNOWN, 0, 0);
}

uint64_t kvm_tlbi_range_step(const struct kvm_pgtable *pgt, uint64_t ipa, uint64_t pages)
{
	enum { SCALE_MAX = 3, NUM_MAX = 32, LPA2_BASE_BITS = 16 };

	/* With LPA2 the operand names bits of the address from 16 on. */
	if (pages == 1 || (pgt->setup.lpa2 && ipa & low_mask(LPA2_BASE_BITS)))
		return 1;
	for (unsigned scale = SCALE_MAX;; scale--) {
		const unsigned shift = 5 * scale + 1;
		const uint64_t num = pages >> shift;

		if (num)
			return (num < NUM_MAX ? num : NUM_MAX) << shift;
	}
}

void kvm_pgtable_flush_range(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes)
{
	const uint64_t most = MAX_TLBI_RANGE_PAGES << pgt->setup.granule;

	if (!pgt->setup.tlbi_range || pgt->setup.kernel < KVM_KERNEL(6, 6)) {
		kvm_pgtable_flush_all(pgt);
		return;
	}
	while (bytes > 0) {
		const uint64_t now = bytes < most ? bytes : most;

		kvm_tlbi_send(pgt, KVM_TLBI_RANGE, KVM_TTL_UNKNOWN, ipa, now);
		ipa += now;
		bytes -= now;
	}
}
