/* SPDX-License-Identifier: BSD-2-Clause */
#include "refs.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/conform/gen.h" /* rng_*() */

enum { PAGE = 4096, MAX_VCPUS = 64 };

static void *checked(void *memory)
{
	if (!memory) {
		fprintf(stderr, "refs: out of memory\n");
		exit(70);
	}
	return memory;
}

static void check(enum exit_status status, const struct diag *diag)
{
	if (status == STATUS_OK)
		return;
	fprintf(stderr, "refs: %s: %s\n", diag->place, diag->text);
	exit((int)status);
}

struct context {
	uint16_t vm, asid;
	uint8_t el;
	uint64_t page[2]; /* current page of each stream */
};

/* Page `index` of a stream, the same in all address spaces: neighbours, and some far apart. */
static uint64_t page_va(const struct refs_options *o, unsigned stream, uint64_t index)
{
	uint64_t va = stream ? UINT64_C(0x7f0000000000) : UINT64_C(0x400000);

	if (o->low)
		return (stream ? UINT64_C(0x2000000000) : 0) + index * UINT64_C(0x45010000);
	return va + (index % 3 == 0 ? index * UINT64_C(0x201000) : index * PAGE);
}

static struct refs_item random_event(struct rng *rng, const struct refs_options *o, unsigned vcpu,
				     struct context *c, unsigned type)
{
	/* TLBI VMALLE1, VAE1, ASIDE1, VMALLE1IS: op1:CRn:CRm:op2. */
	static const uint64_t tlbi[] = { 0x438, 0x439, 0x43a, 0x418 };
	struct refs_item item = { .is_event = true };
	uint64_t va = page_va(o, STREAM_DATA, rng_below(rng, o->pages));

	if (type == EVENT_VM_SWITCH)
		c->vm = (uint16_t)rng_below(rng, o->vms);
	if (type == EVENT_CONTEXT_SWITCH || type == EVENT_VM_SWITCH)
		c->asid = (uint16_t)(1 + rng_below(rng, o->asids));
	item.event = (struct trace_event){
		.type = (uint8_t)type, .vcpu = (uint16_t)vcpu, .vm = c->vm, .asid = c->asid
	};
	if (type == EVENT_TLBI) {
		item.event.args[0] = tlbi[rng_below(rng, 4)];
		item.event.args[1] = (uint64_t)c->asid << 48 | (va >> 12 & UINT64_C(0xfffffffffff));
	} else if (type == EVENT_UNMAP) {
		item.event.args[0] = va;
		item.event.args[1] = PAGE * (1 + rng_below(rng, 8));
	} else if (type == EVENT_FORK) {
		item.event.args[0] = 1 + (c->asid + rng_below(rng, o->asids - 1)) % o->asids;
	}
	return item;
}

static struct refs_item random_access(struct rng *rng, const struct refs_options *o, unsigned vcpu,
				      struct context *c)
{
	unsigned stream = rng_chance(rng, 60) ? STREAM_FETCH : STREAM_DATA;
	struct refs_item item = { 0 };
	struct trace_ref *r = &item.ref;
	uint64_t va;

	if (rng_chance(rng, 2))
		c->el ^= 1;
	/* Half of the jumps stay in a small set of pages. */
	if (!c->page[stream] || !rng_chance(rng, o->same_page_percent))
		c->page[stream] =
			page_va(o, stream,
				rng_below(rng, rng_chance(rng, 50) ? 1 + o->pages / 8 : o->pages));
	va = c->page[stream];
	*r = (struct trace_ref){ .ipa = TRACE_IPA_UNKNOWN,
				 .vcpu = (uint16_t)vcpu,
				 .vm = c->vm,
				 .asid = c->asid,
				 .el = c->el,
				 .size = 4,
				 .kind = ACCESS_FETCH,
				 .instructions = 1 };
	r->va = va + rng_below(rng, PAGE / 8) * 8;
	if (stream == STREAM_FETCH)
		return item;
	r->instructions = 0;
	r->size = 8;
	r->kind = rng_chance(rng, o->store_percent) ? ACCESS_STORE : ACCESS_LOAD;
	if (rng_below(rng, 1000) < o->straddle_permille)
		r->va = va + PAGE - 1 - rng_below(rng, 7);
	return item;
}

struct refs refs_random(const struct refs_options *o)
{
	struct refs refs = { checked(calloc(o->n, sizeof(*refs.item))), o->n };
	struct context *context = checked(calloc(o->vcpus, sizeof(*context)));
	struct rng rng = { o->seed };

	for (unsigned v = 0; v < o->vcpus; v++)
		context[v] = (struct context){ .vm = (uint16_t)(v % o->vms), .asid = 1 };
	for (size_t i = 0; i < o->n; i++) {
		unsigned vcpu = (unsigned)rng_below(&rng, o->vcpus);
		struct context *c = &context[vcpu];
		uint64_t draw = rng_below(&rng, 1000);
		unsigned type = 0;

		if (draw < o->switch_permille)
			type = o->vms > 1 && draw % 3 == 0 ? EVENT_VM_SWITCH : EVENT_CONTEXT_SWITCH;
		else if ((draw -= o->switch_permille) < o->tlbi_permille)
			type = EVENT_TLBI;
		else if ((draw -= o->tlbi_permille) < o->unmap_permille)
			type = EVENT_UNMAP;
		else if (o->asids > 1 && draw - o->unmap_permille < o->fork_permille)
			type = EVENT_FORK;
		refs.item[i] = type ? random_event(&rng, o, vcpu, c, type)
				    : random_access(&rng, o, vcpu, c);
	}
	free(context);
	return refs;
}

void refs_free(struct refs *refs)
{
	free(refs->item);
	*refs = (struct refs){ 0 };
}

static struct trace_writer *create(const char *path, enum trace_granularity granularity)
{
	struct trace_writer_options options = { .granularity = granularity };
	struct diag diag = DIAG_INIT;
	struct trace_writer *writer = trace_create(path, &options, &diag);

	check(writer ? STATUS_OK : STATUS_IO, &diag);
	return writer;
}

void refs_write(const struct refs *refs, const char *path, enum trace_granularity granularity)
{
	struct trace_writer *writer = create(path, granularity);
	struct trace_collapser *collapser = checked(trace_collapser_create(writer, granularity));
	struct diag diag = DIAG_INIT;

	for (size_t i = 0; i < refs->n; i++) {
		const struct refs_item *item = &refs->item[i];

		check(item->is_event ? trace_collapse_event(collapser, &item->event, &diag)
				     : trace_collapse(collapser, &item->ref, 1, &diag),
		      &diag);
	}
	check(trace_collapser_finish(collapser, &diag), &diag);
	check(trace_finish(writer, NULL, &diag), &diag);
}

struct trace_reader *refs_open(const struct refs *refs, size_t n, const char *path,
			       enum trace_granularity granularity)
{
	const struct refs first = { refs->item, n };
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader;

	refs_write(&first, path, granularity);
	reader = trace_open(path, false, &diag);
	check(reader ? STATUS_OK : diag.status, &diag);
	return reader;
}

/* ---- the plain collapser ------------------------------------------------------------------- */

struct output {
	bool is_event, open;
	uint64_t order; /* records and events leave sorted by it, stably */
	struct trace_run run;
	struct trace_event event;
};

struct plain {
	struct output *out;
	size_t n;
	size_t open[MAX_VCPUS][2]; /* index plus 1 */
	uint64_t ordinal;
	enum refs_break how;
};

static void close_vcpu(struct plain *p, unsigned vcpu)
{
	p->open[vcpu][0] = p->open[vcpu][1] = 0;
}

static bool same_context(const struct trace_key *a, const struct trace_ref *r)
{
	return a->vm == r->vm && a->asid == r->asid && a->el == r->el;
}

static void add_piece(struct plain *p, const struct trace_ref *r, uint64_t va, bool second)
{
	unsigned stream = r->kind == ACCESS_FETCH ? STREAM_FETCH : STREAM_DATA;
	size_t *open = &p->open[r->vcpu][stream];
	struct trace_run *run = *open ? &p->out[*open - 1].run : NULL;

	if (!run || run->key.va != (va & ~UINT64_C(4095)) ||
	    (p->how == REFS_ACROSS_SWITCHES ? false : !same_context(&run->key, r))) {
		p->out[p->n] = (struct output){
			.order = p->ordinal,
			.run = { .key = { .va = va & ~UINT64_C(4095),
					  .ipa = TRACE_IPA_UNKNOWN,
					  .vcpu = r->vcpu,
					  .vm = r->vm,
					  .asid = r->asid,
					  .el = r->el,
					  .stream = (uint8_t)stream },
				 .ordinal = p->ordinal,
				 .store_ordinal = UINT64_MAX },
		};
		run = &p->out[p->n].run;
		*open = ++p->n;
	}
	if (second)
		run->splits++;
	else if (r->kind == ACCESS_STORE)
		run->stores++;
	else
		run->reads++;
	if (r->kind == ACCESS_STORE && run->store_ordinal == UINT64_MAX)
		run->store_ordinal = p->ordinal;
	run->instructions += second ? 0 : r->instructions;
	run->last_ordinal = p->ordinal++;
	if (p->how == REFS_ORDER_BY_END)
		p->out[*open - 1].order = run->last_ordinal;
}

static void add_item(struct plain *p, const struct refs_item *item)
{
	const struct trace_ref *r = &item->ref;

	if (item->is_event) {
		p->out[p->n++] = (struct output){ .is_event = true,
						  .order = p->ordinal,
						  .event = item->event };
		for (unsigned v = 0; v < MAX_VCPUS && p->how != REFS_ACROSS_SWITCHES; v++)
			close_vcpu(p, v);
		return;
	}
	if (p->how != REFS_ACROSS_SWITCHES)
		for (int s = 0; s < 2; s++)
			if (p->open[r->vcpu][s] &&
			    !same_context(&p->out[p->open[r->vcpu][s] - 1].run.key, r))
				close_vcpu(p, r->vcpu);
	add_piece(p, r, r->va, false);
	if (r->kind != ACCESS_FETCH && r->va % PAGE + r->size > PAGE && p->how != REFS_NO_SPLITS)
		add_piece(p, r, (r->va | 4095) + 1, true);
}

static int by_order(const void *a, const void *b)
{
	const struct output *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return (int)y->is_event - (int)x->is_event; /* an event comes before the access after it */
}

void refs_write_broken(const struct refs *refs, const char *path, enum refs_break how)
{
	struct plain p = { .how = how };
	struct trace_writer *writer = create(path, TRACE_PAGE_RUNS);
	struct diag diag = DIAG_INIT;

	p.out = checked(calloc(2 * refs->n + 1, sizeof(*p.out)));
	for (size_t i = 0; i < refs->n; i++)
		add_item(&p, &refs->item[i]);
	qsort(p.out, p.n, sizeof(*p.out), by_order);
	for (size_t i = 0; i < p.n; i++) {
		struct trace_run *run = &p.out[i].run;

		/* The writer wants ascending ordinals; these carry only the order. */
		if (how == REFS_ORDER_BY_END)
			run->ordinal = run->last_ordinal = p.out[i].order;
		if (how == REFS_ORDER_BY_END && run->store_ordinal != UINT64_MAX)
			run->store_ordinal = run->reads ? UINT64_MAX : run->ordinal;
		if (how == REFS_NO_FIRST_KIND)
			run->store_ordinal = UINT64_MAX;
		if (how == REFS_NO_ORDINALS && run->store_ordinal != UINT64_MAX &&
		    run->store_ordinal != run->ordinal)
			run->store_ordinal = run->last_ordinal;
		check(p.out[i].is_event ? trace_put_event(writer, &p.out[i].event, &diag)
					: trace_put_run(writer, run, &diag),
		      &diag);
	}
	check(trace_finish(writer, NULL, &diag), &diag);
	free(p.out);
}
