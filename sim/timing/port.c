/* SPDX-License-Identifier: BSD-2-Clause */
#include "timing/port.h"

#include <stdlib.h>

#include "mmu/regime.h"
#include "mmu/tlb.h"
#include "mmu/walk.h"

/* Leaves of both stages, and those of tables that stage 2 locates. */
enum { UPDATES_MAX = 16 };

/*
 * The walker reads from `mem`, a copy of the tables, and its reads are checked against the
 * platform. Where these disagree the copy is put right and the walk made again: it begins with the
 * same reads, which are not made on the platform a second time.
 */
struct mmu_port {
	struct arch_cpu cpu;
	struct mmu_port_bus bus;
	struct regime regime;
	struct phys_mem *mem;
	struct tlb tlb;
	/* The translation under way. */
	unsigned n_sent; /* reads made on the platform */
	unsigned n_read; /* reads of this pass */
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

/* Once the copy has turned out wrong, the rest of this pass is of no interest. */
static void check_read(void *ctx, const struct walk_read *read)
{
	struct mmu_port *port = ctx;
	uint64_t real = 0;

	if (port->stale || port->aborted)
		return;
	if (read->update) {
		if (port->n_updated < UPDATES_MAX &&
		    !is_in(port->updated, port->n_updated, read->pa.v))
			port->updated[port->n_updated++] = read->pa.v;
		return;
	}
	if (port->n_read++ < port->n_sent)
		return;
	port->n_sent++;
	port->aborted = !port->bus.read(port->bus.ctx, read->pa.v, &real);
	if (port->aborted || real == phys_read64(port->mem, read->pa))
		return;
	port->stale = true;
	port->aborted = !phys_write64(port->mem, read->pa, real);
}

static void walk(struct mmu_port *port, const struct access *access, struct translation *result)
{
	const struct walk_hooks hooks = { .ctx = port, .read = check_read };

	port->n_sent = 0;
	port->aborted = false;
	do {
		port->stale = false;
		port->n_updated = port->n_read = 0;
		mmu_walk(&port->regime, port->mem, access, &hooks, result);
	} while (port->stale && !port->aborted);
	for (unsigned i = 0; i < port->n_updated && !port->aborted; i++) {
		const pa_t pa = pa_of(port->updated[i]);

		port->aborted = !port->bus.write(port->bus.ctx, pa.v, phys_read64(port->mem, pa));
	}
	if (port->aborted)
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

void mmu_port_translate(struct mmu_port *port, uint64_t va, enum access_kind kind, uint8_t el,
			struct mmu_port_result *out)
{
	const va_t untagged = va_of(regime_untag(&port->regime, va_of(va), kind));
	const struct tlb_context context = { port->regime.vmid, port->regime.asid };
	const struct access access = { .va = va_of(va), .kind = kind, .el = el };
	uint32_t slot = tlb_find(&port->tlb, context, untagged);
	struct translation result = { 0 };
	struct tlb_leaf leaf;
	uint64_t offset;

	*out = (struct mmu_port_result){ .tlb_hit = slot != TLB_NONE };
	if (slot != TLB_NONE && allows(port->tlb.leaf[slot].perms, kind, el) &&
	    !(kind == ACCESS_STORE && port->tlb.leaf[slot].dirty_clear)) {
		tlb_touch(&port->tlb, slot);
	} else {
		out->tlb_hit = false;
		walk(port, &access, &result);
		out->fault = result.fault;
		if (result.fault.type != FAULT_NONE)
			return;
		fill_leaf(&result, &leaf);
		slot = slot == TLB_NONE ? tlb_fill(&port->tlb, context, untagged, &leaf)
					: tlb_renew(&port->tlb, slot, context, untagged, &leaf);
	}
	leaf = port->tlb.leaf[slot];
	offset = va & low_mask(leaf.size_bits);
	out->perms = leaf.perms;
	out->first_va = va - offset;
	out->first_pa = leaf.pa.v;
	out->n_bytes = UINT64_C(1) << leaf.size_bits;
	out->pa = leaf.pa.v + offset;
}

void mmu_port_invalidate(struct mmu_port *port, uint64_t first, uint64_t last)
{
	const struct tlb_match match = {
		.scope = first == 0 && last == UINT64_MAX ? TLB_SCOPE_ALL : TLB_SCOPE_VAA,
		.context = { port->regime.vmid, port->regime.asid },
		.first = first,
		.last = last,
	};

	tlb_invalidate(&port->tlb, &match);
}
