/* SPDX-License-Identifier: BSD-2-Clause */
/* Our answers to the queries of a case, and answers as text. */
#include <inttypes.h>
#include <stdlib.h>

#include "live.h"

const char *const live_op_names[WIRE_OPS] = { "S12E1R", "S12E1W", "S12E0R",  "S12E0W", "S1E1R",
					      "S1E1W",	"S1E0R",  "S1E0W",   "LDR",    "STR",
					      "LDTR",	"STTR",	  "IFETCH1", "IFETCH0" };

struct recorder {
	struct phys_mem *mem;
	struct live_query *q;
	unsigned undo_count;
	struct live_change undo[LIVE_CHANGES];
};

static void out_of_memory(void)
{
	fputs("out of memory\n", stderr);
	exit(70);
}

static void write_word(struct phys_mem *mem, uint64_t pa, uint64_t value)
{
	if (!phys_write64(mem, pa_of(pa), value))
		out_of_memory();
}

static void remember(struct recorder *rec, uint64_t pa)
{
	for (unsigned i = 0; i < rec->undo_count; i++)
		if (rec->undo[i].pa == pa)
			return;
	if (rec->undo_count < LIVE_CHANGES)
		rec->undo[rec->undo_count++] =
			(struct live_change){ pa, phys_read64(rec->mem, pa_of(pa)) };
}

static void on_read(void *ctx, const struct walk_read *read)
{
	struct recorder *rec = ctx;

	if (rec->q->reads_count < LIVE_READS)
		rec->q->reads[rec->q->reads_count++] = *read;
	if (read->update)
		remember(rec, read->pa.v);
}

static int by_address(const void *a, const void *b)
{
	const struct live_change *x = a, *y = b;

	return (x->pa > y->pa) - (x->pa < y->pa);
}

static void take_back(struct recorder *rec, struct live_result *r)
{
	r->changes_count = 0;
	for (unsigned i = 0; i < rec->undo_count; i++) {
		uint64_t pa = rec->undo[i].pa, now = phys_read64(rec->mem, pa_of(pa));

		if (now == rec->undo[i].value)
			continue;
		r->changes[r->changes_count++] = (struct live_change){ pa, now };
		write_word(rec->mem, pa, rec->undo[i].value);
	}
	qsort(r->changes, r->changes_count, sizeof(r->changes[0]), by_address);
}

static struct access access_of(enum wire_op op, uint64_t va)
{
	bool at = live_op_is_at(op);
	struct access a = { .va = va_of(va), .at = at, .size_log2 = at ? 0 : 3 };

	if (at) {
		a.kind = op & 1 ? ACCESS_STORE : ACCESS_LOAD;
		a.el = op & 2 ? 0 : 1;
		a.stage1_only = op >= WIRE_S1E1R;
	} else if (live_op_is_fetch(op)) {
		a.kind = ACCESS_FETCH;
		a.el = op == WIRE_IFETCH1;
	} else {
		a.kind = op == WIRE_STR || op == WIRE_STTR ? ACCESS_STORE : ACCESS_LOAD;
		a.el = op < WIRE_LDTR;
	}
	return a;
}

static void answer_fault(struct live_query *q, const struct access *a, const struct fault *fault)
{
	struct live_result *r = &q->ours;
	bool to_el2 = fault_to_el2(fault) || a->at;

	/* An abort of EL1 at EL1 has the EC of the same level. */
	r->ec = (uint8_t)((a->kind == ACCESS_FETCH ? 0x20 : 0x24) |
			  ((!to_el2 && (a->el == 1 || a->kind != ACCESS_FETCH)) || a->at));
	r->fsc = (uint8_t)fault_fsc(fault);
	r->s1ptw = fault->s1ptw;
	if (a->at)
		return;
	r->wnr = a->kind == ACCESS_STORE;
	r->far = a->va.v;
	q->hpfar_known = to_el2 && fault_hpfar_valid(fault);
	r->hpfar = q->hpfar_known ? fault_hpfar(fault) : 0;
}

static void answer_at(struct live_query *q, const struct access *a)
{
	const struct translation *t = &q->walk;

	if (t->fault.type == FAULT_EXTERNAL_WALK) {
		q->ours.outcome = WIRE_AT_ABORT;
		answer_fault(q, a, &t->fault);
		return;
	}
	q->ours.outcome = WIRE_AT_DONE;
	q->ours.value = t->fault.type == FAULT_NONE ? fault_par_success(t->pa.v, t->attr, t->sh)
						    : fault_par(&t->fault);
}

static void answer_access(struct recorder *rec, const struct access *a)
{
	struct live_query *q = rec->q;
	struct fault fault = q->walk.fault;

	if (fault.type == FAULT_NONE && phys_aborts(rec->mem, q->walk.pa))
		fault = (struct fault){ .type = FAULT_EXTERNAL, .stage = 1 };
	if (fault.type != FAULT_NONE) {
		q->ours.outcome = fault_to_el2(&fault) ? WIRE_EL2_FAULT : WIRE_EL1_FAULT;
		answer_fault(q, a, &fault);
		return;
	}
	q->ours.outcome = WIRE_DONE;
	if (a->kind == ACCESS_LOAD) {
		q->ours.value = phys_read64(rec->mem, q->walk.pa);
	} else if (a->kind == ACCESS_STORE) {
		remember(rec, q->walk.pa.v);
		write_word(rec->mem, q->walk.pa.v, WIRE_STORED);
	}
}

static void answer_query(const struct live_case *c, struct live_query *q, struct phys_mem *mem)
{
	struct recorder rec = { .mem = mem, .q = q };
	struct walk_hooks hooks = { .ctx = &rec, .read = on_read };
	struct access access = access_of(q->op, q->va);

	q->reads_count = 0;
	q->hpfar_known = false;
	q->ours = (struct live_result){ 0 };
	/* A branch to a tagged address drops the tag (AArch64.BranchAddr). */
	if (access.kind == ACCESS_FETCH)
		access.va = va_of(regime_untag(&c->regime, access.va, ACCESS_FETCH));
	mmu_walk(&c->regime, mem, &access, &hooks, &q->walk);
	if (live_op_is_at(q->op))
		answer_at(q, &access);
	else
		answer_access(&rec, &access);
	take_back(&rec, &q->ours);
}

/*
 * Did our walk stay in the memory map? With stage 1 off the guest's own code is at its own IPA,
 * so IPAs there are out of bounds too.
 */
static bool stays_inside(const struct live_case *c, const struct live_query *q)
{
	const struct translation *t = &q->walk;

	for (unsigned i = 0; i < q->reads_count; i++) {
		const struct walk_read *read = &q->reads[i];

		if (!live_pa_is_ram(c->machine, read->pa.v))
			return false;
		if (read->stage == 2 && read->ia >= WIRE_GUEST_FIRST && read->ia < WIRE_GUEST_END)
			return false;
	}
	if (live_op_is_at(q->op))
		return true;
	if (!c->regime.s1_on && q->va >= WIRE_GUEST_FIRST && q->va < WIRE_GUEST_END)
		return false;
	return t->fault.type != FAULT_NONE || live_pa_is_ram(c->machine, t->pa.v) ||
	       live_pa_is_ext(c->machine, t->pa.v);
}

void live_answer(struct live_case *c, struct phys_mem *mem)
{
	unsigned kept = 0;

	phys_reset(mem);
	phys_add_abort_range(mem, pa_of(c->machine->ext_first), pa_of(c->machine->ext_end));
	for (unsigned i = 0; i < c->words_count; i++)
		write_word(mem, c->words[i].pa, c->words[i].value);
	for (unsigned i = 0; i < c->queries_count; i++) {
		struct live_query *q = &c->queries[i];

		answer_query(c, q, mem);
		if (stays_inside(c, q))
			c->queries[kept++] = *q;
	}
	c->queries_count = kept;
}

/* ---- text ---------------------------------------------------------------------------------- */

void live_print_result(FILE *out, const struct live_query *q, const struct live_result *r)
{
	switch (r->outcome) {
	case WIRE_AT_DONE:
		fprintf(out, "par:%" PRIx64, r->value);
		break;
	case WIRE_AT_ABORT:
		fprintf(out, "atabort:fsc=%02x,s1ptw=%d", r->fsc, r->s1ptw);
		break;
	case WIRE_DONE:
		fputs("done", out);
		if (q->op == WIRE_LDR || q->op == WIRE_LDTR)
			fprintf(out, ":%" PRIx64, r->value);
		break;
	case WIRE_EL1_FAULT:
		fprintf(out, "el1abort:fsc=%02x,wnr=%d,far=%" PRIx64, r->fsc, r->wnr, r->far);
		break;
	case WIRE_EL2_FAULT:
		fprintf(out, "el2abort:fsc=%02x,s1ptw=%d,wnr=%d,far=%" PRIx64 ",hpfar=%" PRIx64,
			r->fsc, r->s1ptw, r->wnr, r->far, r->hpfar);
		break;
	}
	for (unsigned i = 0; i < r->changes_count; i++)
		fprintf(out, " chg=%" PRIx64 ":%" PRIx64, r->changes[i].pa, r->changes[i].value);
}

void live_print_case(FILE *out, const struct live_case *c, unsigned mask)
{
	const struct live_machine *m = c->machine;
	const struct mmu_regs *r = &c->regs;

	fprintf(out,
		"# corpus cpu=%s ID_AA64MMFR0_EL1=0x%" PRIx64 " ID_AA64MMFR1_EL1=0x%" PRIx64
		" ID_AA64MMFR2_EL1=0x%" PRIx64 " ram=0x40000000-0x%" PRIx64 " ext=0x%" PRIx64
		"-0x%" PRIx64 "\n",
		m->pe.name, m->pe.mmfr0, m->pe.mmfr1, m->pe.mmfr2, m->ram_end, m->ext_first,
		m->ext_end);
	fprintf(out, "case %s/%s/%" PRIu64 "\n", m->pe.name, live_category_names[c->category],
		c->seed);
	fprintf(out,
		"regs TCR_EL1=0x%" PRIx64 " TTBR0_EL1=0x%" PRIx64 " TTBR1_EL1=0x%" PRIx64
		" MAIR_EL1=0x%" PRIx64 " SCTLR_EL1=0x%" PRIx64 " HCR_EL2=0x%" PRIx64
		" VTCR_EL2=0x%" PRIx64 " VTTBR_EL2=0x%" PRIx64 "\n",
		r->tcr_el1, r->ttbr0_el1, r->ttbr1_el1, r->mair_el1, r->sctlr_el1, r->hcr_el2,
		r->vtcr_el2, r->vttbr_el2);
	for (unsigned i = 0; i < c->words_count; i++)
		fprintf(out, "mem %" PRIx64 " %" PRIx64 "\n", c->words[i].pa, c->words[i].value);
	for (unsigned i = 0; i < c->queries_count; i++) {
		const struct live_query *q = &c->queries[i];

		if (!(mask >> i & 1))
			continue;
		fprintf(out, "q %s %" PRIx64 " ", live_op_names[q->op], q->va);
		live_print_result(out, q, &q->theirs);
		fputc('\n', out);
	}
	fputs("end\n", out);
}
