/* SPDX-License-Identifier: BSD-2-Clause */
#include "timing/port.h"

#include <stdlib.h>

#include "mmu/regime.h"
#include "mmu/tlb.h"
#include "mmu/walk.h"

/* Leaves of both stages, and those of tables that stage 2 locates; descriptors of all tables. */
enum { UPDATES_MAX = 16, READS_MAX = 64 };

struct mmu_port {
	struct arch_cpu cpu;
	struct mmu_port_bus bus;
	struct regime regime;
	struct phys_mem *mem;
	struct tlb tlb;
	uint64_t invalidations, corrections; /* of the TLB; of mem */
};

/*
 * A walk under way; there may be several. The walker reads from `mem`, a copy of the tables, and
 * its reads are checked against the platform. Where these disagree the copy is put right and the
 * walk made again: it begins with the same reads, which are not made on the platform a second time.
 * A correction by another walk may come between a read of the copy and its check: again, too.
 */
struct port_walk {
	struct mmu_port *port;
	struct regime regime;
	void *tag;
	uint64_t sent[READS_MAX]; /* reads made on the platform, in their order */
	unsigned n_sent;
	unsigned n_read; /* reads of this pass */
	uint64_t corrections;
	uint64_t updated[UPDATES_MAX];
	unsigned n_updated;
	bool stale, aborted;
};

struct mmu_port *mmu_port_create(const struct mmu_port_config *config,
				 const struct mmu_port_bus *bus)
{
	const struct tlb_shape shape = {
		.sets = 1,
		.ways = config->tlb_entries,
		.page_sizes = ~low_mask(12),
		.repl = repl_find("lru"),
	};
	const struct mmu_regs regs = { 0 };
	struct mmu_port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	port->bus = *bus;
	port->mem = phys_create();
	if (!port->mem || !tlb_init(&port->tlb, &shape)) {
		phys_destroy(port->mem);
		free(port);
		return NULL;
	}
	cpu_init(&port->cpu, &config->id);
	mmu_port_set(port, &regs);
	return port;
}

void mmu_port_destroy(struct mmu_port *port)
{
	if (!port)
		return;
	tlb_fini(&port->tlb);
	phys_destroy(port->mem);
	free(port);
}

void mmu_port_set(struct mmu_port *port, const struct mmu_regs *regs)
{
	regime_init(&port->regime, &port->cpu, regs, REGIME_EL10);
}

static bool is_in(const uint64_t *set, unsigned n, uint64_t pa)
{
	while (n--)
		if (set[n] == pa)
			return true;
	return false;
}

/* Was it the same read at this place before? If not, it is one now, and all behind it are new. */
static bool is_sent(struct port_walk *walk, uint64_t pa)
{
	const unsigned i = walk->n_read++;

	if (i < walk->n_sent && walk->sent[i] == pa)
		return true;
	if (i < READS_MAX) {
		walk->sent[i] = pa;
		walk->n_sent = i + 1;
	}
	return false;
}

/* Once the copy has turned out wrong, the rest of this pass is of no interest. */
static void check_read(void *ctx, const struct walk_read *read)
{
	struct port_walk *walk = ctx;
	struct mmu_port *port = walk->port;
	uint64_t real = 0;

	if (walk->stale || walk->aborted)
		return;
	if (read->update) {
		if (walk->n_updated < UPDATES_MAX &&
		    !is_in(walk->updated, walk->n_updated, read->pa.v))
			walk->updated[walk->n_updated++] = read->pa.v;
		return;
	}
	if (is_sent(walk, read->pa.v))
		return;
	walk->aborted = !port->bus.read(port->bus.ctx, walk->tag, read->pa.v, &real);
	if (walk->aborted)
		return;
	if (real != phys_read64(port->mem, read->pa)) {
		port->corrections++;
		walk->aborted = !phys_write64(port->mem, read->pa, real);
	}
	walk->stale = port->corrections != walk->corrections;
}

static void walk_for(struct mmu_port *port, const struct mmu_port_access *port_access,
		     struct translation *result)
{
	const struct access access = {
		.va = va_of(port_access->va),
		.kind = port_access->kind,
		.el = port_access->el,
	};
	struct port_walk walk = { .port = port, .regime = port->regime, .tag = port_access->tag };
	const struct walk_hooks hooks = { .ctx = &walk, .read = check_read };

	do {
		walk.stale = false;
		walk.n_updated = walk.n_read = 0;
		walk.corrections = port->corrections;
		mmu_walk(&walk.regime, port->mem, &access, &hooks, result);
	} while (walk.stale && !walk.aborted);
	for (unsigned i = 0; i < walk.n_updated && !walk.aborted; i++) {
		const pa_t pa = pa_of(walk.updated[i]);

		walk.aborted =
			!port->bus.write(port->bus.ctx, walk.tag, pa.v, phys_read64(port->mem, pa));
	}
	if (walk.aborted)
		result->fault = (struct fault){ .type = FAULT_EXTERNAL_WALK, .stage = 1 };
}

static bool allows(uint8_t perms, enum access_kind kind, uint8_t el)
{
	const uint8_t el1 = kind == ACCESS_LOAD	   ? PERM_R1
			    : kind == ACCESS_STORE ? PERM_W1
						   : PERM_X1;

	return perms & (el ? el1 : el1 << 3);
}

static void fill_leaf(const struct translation *result, struct tlb_leaf *leaf)
{
	const uint8_t s1 = result->s1_bits, s2 = result->s2_bits;
	const uint8_t smaller = !s1 || (s2 && s2 < s1) ? s2 : s1;
	const uint8_t size = smaller ? smaller : 12;

	*leaf = (struct tlb_leaf){
		.pa = pa_of(result->pa.v & ~low_mask(size)),
		.size_bits = size,
		.leaf_bits = size,
		.s1_bits = s1,
		.s2_bits = s2,
		.perms = result->perms,
		.global = result->global,
		.dirty_clear = result->dirty_clear,
	};
}

static void fill(struct mmu_port *port, struct tlb_context context, va_t va,
		 const struct tlb_leaf *leaf)
{
	const uint32_t slot = tlb_find(&port->tlb, context, va);

	if (slot == TLB_NONE)
		tlb_fill(&port->tlb, context, va, leaf);
	else
		tlb_renew(&port->tlb, slot, context, va, leaf);
}

void mmu_port_translate(struct mmu_port *port, const struct mmu_port_access *access,
			struct mmu_port_result *out)
{
	const enum access_kind kind = access->kind;
	const va_t va = va_of(regime_untag(&port->regime, va_of(access->va), kind));
	const struct tlb_context context = { .vmid = port->regime.vmid, .asid = port->regime.asid };
	const uint64_t invalidations = port->invalidations;
	const uint32_t slot = tlb_find(&port->tlb, context, va);
	struct translation result = { 0 };
	struct tlb_leaf leaf;
	uint64_t offset;

	*out = (struct mmu_port_result){ 0 };
	if (slot != TLB_NONE && allows(port->tlb.leaf[slot].perms, kind, access->el) &&
	    !(kind == ACCESS_STORE && port->tlb.leaf[slot].dirty_clear)) {
		out->tlb_hit = true;
		tlb_touch(&port->tlb, slot);
		leaf = port->tlb.leaf[slot];
	} else {
		walk_for(port, access, &result);
		out->fault = result.fault;
		if (result.fault.type != FAULT_NONE)
			return;
		fill_leaf(&result, &leaf);
		if (port->invalidations == invalidations)
			fill(port, context, va, &leaf);
	}
	offset = access->va & low_mask(leaf.size_bits);
	out->perms = leaf.perms;
	out->first_va = access->va - offset;
	out->first_pa = leaf.pa.v;
	out->n_bytes = UINT64_C(1) << leaf.size_bits;
	out->pa = leaf.pa.v + offset;
}

void mmu_port_invalidate(struct mmu_port *port, uint64_t first, uint64_t last)
{
	const struct tlb_match match = {
		.scope = first == 0 && last == UINT64_MAX ? TLB_SCOPE_ALL : TLB_SCOPE_VAA,
		.context = { .vmid = port->regime.vmid, .asid = port->regime.asid },
		.first = first,
		.last = last,
	};

	port->invalidations++;
	tlb_invalidate(&port->tlb, &match);
}
