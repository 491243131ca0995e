/* SPDX-License-Identifier: BSD-2-Clause */
/* From single accesses (or finer runs) to runs: see trace.h and docs/formats.md. */
#include "trace/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "trace/import.h"

enum {
	PAGE_BYTES = 4096,
	MAX_RUN = 1 << 30, /* accesses in a run before it is closed: far from overflow */
	PENDING = 4096,	   /* runs that wait for an older one to close; a power of two */
	BATCH = 1 << 20,   /* accesses between two looks at how large the runs are */
};

struct pending {
	struct trace_run run;
	bool open;
};

/* What one vCPU is doing. */
struct vcpu_state {
	uint64_t context;	 /* VM, ASID and exception level of its last access */
	struct pending *open[2]; /* by stream; NULL: none */
};

struct trace_collapser {
	struct trace_writer *writer; /* NULL: to `blocks` */
	struct block_builder *blocks;
	enum trace_granularity granularity;
	uint64_t unit_mask;    /* offset bits inside a unit */
	uint64_t ordinal;      /* of the next piece */
	uint64_t instructions; /* begun so far ... */
	uint64_t attributed;   /* ... and of these, given to a record */
	struct vcpu_state *vcpus;
	size_t n_vcpus;
	struct pending *newest; /* the run started last, while pending; else NULL */
	size_t head, tail;	/* of the ring: numbers of runs emitted and started */
	struct pending ring[PENDING];
};

static struct trace_collapser *create(enum trace_granularity granularity)
{
	struct trace_collapser *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->granularity = granularity;
	c->unit_mask = (UINT64_C(1) << granularity) - 1;
	return c;
}

struct trace_collapser *trace_collapser_create(struct trace_writer *writer,
					       enum trace_granularity granularity)
{
	struct trace_collapser *c = create(granularity);

	if (c)
		c->writer = writer;
	return c;
}

struct trace_collapser *trace_collapser_into(struct block_builder *blocks)
{
	struct trace_collapser *c = create(blocks->granularity);

	if (c)
		c->blocks = blocks;
	return c;
}

static enum exit_status put(struct trace_collapser *c, const struct trace_run *run,
			    struct diag *diag)
{
	if (c->writer)
		return trace_put_run(c->writer, run, diag);
	blocks_put_run(c->blocks, run);
	return STATUS_OK;
}

/* Room for the state of `vcpu`. */
static enum exit_status grow(struct trace_collapser *c, uint16_t vcpu, struct diag *diag)
{
	size_t n = c->n_vcpus ? c->n_vcpus : 8;
	struct vcpu_state *vcpus;

	while (n <= vcpu)
		n *= 2;
	vcpus = realloc(c->vcpus, n * sizeof(*vcpus));
	if (!vcpus)
		return diag_set(diag, STATUS_INTERNAL, "out of memory for %zu vCPUs", n);
	memset(vcpus + c->n_vcpus, 0, (n - c->n_vcpus) * sizeof(*vcpus));
	c->vcpus = vcpus;
	c->n_vcpus = n;
	return STATUS_OK;
}

/* Write the closed runs at the front. */
static enum exit_status emit(struct trace_collapser *c, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	while (status == STATUS_OK && c->head != c->tail) {
		struct pending *p = &c->ring[c->head % PENDING];

		if (p->open)
			break;
		status = put(c, &p->run, diag);
		if (p == c->newest)
			c->newest = NULL;
		c->head++;
	}
	return status;
}

static void close_run(struct trace_collapser *c, struct pending *p)
{
	struct vcpu_state *v = &c->vcpus[p->run.key.vcpu];

	p->open = false;
	v->open[p->run.key.stream] = NULL;
}

/* Instructions begun since the last started record go to `run`. */
static enum exit_status attribute(struct trace_collapser *c, struct trace_run *run,
				  struct diag *diag)
{
	uint64_t sum = run->instructions + (c->instructions - c->attributed);

	if (sum > UINT32_MAX)
		return diag_set(diag, STATUS_BAD_INPUT,
				"more than 2^32 - 1 instructions between two records");
	run->instructions = (uint32_t)sum;
	c->attributed = c->instructions;
	return STATUS_OK;
}

static enum exit_status close_all(struct trace_collapser *c, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	if (c->newest)
		status = attribute(c, &c->newest->run, diag);
	for (size_t i = c->head; i != c->tail; i++)
		if (c->ring[i % PENDING].open)
			close_run(c, &c->ring[i % PENDING]);
	return status ? status : emit(c, diag);
}

static void switch_context(struct trace_collapser *c, struct vcpu_state *v, uint64_t context)
{
	for (int stream = 0; stream < 2; stream++)
		if (v->open[stream])
			close_run(c, v->open[stream]);
	v->context = context;
}

/* Start `run` (its instructions are set here) in place of the open one of its stream. */
static enum exit_status start(struct trace_collapser *c, const struct trace_run *run,
			      struct diag *diag)
{
	struct vcpu_state *v = &c->vcpus[run->key.vcpu];
	struct pending *p;
	enum exit_status status;

	if (v->open[run->key.stream])
		close_run(c, v->open[run->key.stream]);
	if (c->tail - c->head == PENDING && c->ring[c->head % PENDING].open)
		close_run(c, &c->ring[c->head % PENDING]);
	if ((status = emit(c, diag)))
		return status;
	p = &c->ring[c->tail++ % PENDING];
	p->run = *run;
	p->run.instructions = 0;
	p->open = true;
	v->open[run->key.stream] = p;
	c->newest = p;
	return attribute(c, &p->run, diag);
}

static uint64_t context_of(const struct trace_ref *r)
{
	/* Never 0, so that the first access of a vCPU sets it. */
	return UINT64_C(1) << 63 | (uint64_t)r->vm << 32 | (uint64_t)r->asid << 16 | r->el;
}

/* Is an access with this IPA (of its unit, or unknown) in the page that the run knows? */
static bool same_ipa(const struct trace_key *key, uint64_t ipa, uint8_t device)
{
	return ipa == TRACE_IPA_UNKNOWN || key->ipa == TRACE_IPA_UNKNOWN ||
	       (key->ipa == ipa && key->device == device);
}

static void learn_ipa(struct trace_key *key, uint64_t ipa, uint8_t device)
{
	if (key->ipa == TRACE_IPA_UNKNOWN) {
		key->ipa = ipa;
		key->device = ipa == TRACE_IPA_UNKNOWN ? 0 : device;
	}
}

/*
 * log2 of the size for a raw record: rounded up, but down where only the rounding would make the
 * access straddle a page, so that whoever reads the record finds the same pieces.
 */
static uint8_t size_log2(uint64_t va, unsigned size)
{
	unsigned up = size > 1 ? 32 - (unsigned)__builtin_clz(size - 1) : 0;
	uint64_t room = PAGE_BYTES - va % PAGE_BYTES;

	return (uint8_t)(size <= room && UINT64_C(1) << up > room ? up - 1 : up);
}

enum piece { WHOLE, SECOND_PIECE };

/* A run of one piece at `va`. */
static struct trace_run first_of(const struct trace_collapser *c, const struct trace_ref *r,
				 uint64_t va, uint64_t ipa, enum piece piece)
{
	struct trace_run run = {
		.key = { .va = va & ~c->unit_mask,
			 .vcpu = r->vcpu,
			 .vm = r->vm,
			 .asid = r->asid,
			 .el = r->el,
			 .stream = r->kind == ACCESS_FETCH ? STREAM_FETCH : STREAM_DATA,
			 .ipa = TRACE_IPA_UNKNOWN },
		.ordinal = c->ordinal,
		.last_ordinal = c->ordinal,
		.store_ordinal = r->kind == ACCESS_STORE ? c->ordinal : UINT64_MAX,
	};

	learn_ipa(&run.key, ipa, r->device);
	if (piece == SECOND_PIECE)
		run.splits = 1;
	else if (r->kind == ACCESS_STORE)
		run.stores = 1;
	else
		run.reads = 1;
	return run;
}

static uint64_t unit_ipa(const struct trace_collapser *c, uint64_t ipa)
{
	return ipa == TRACE_IPA_UNKNOWN ? ipa : ipa & ~c->unit_mask;
}

/* An access of this ordinal joins a run; store_ordinal is of its first store, if it has one. */
static void touch(struct trace_run *run, uint64_t ordinal, uint64_t store_ordinal)
{
	run->last_ordinal = ordinal;
	if (store_ordinal < run->store_ordinal)
		run->store_ordinal = store_ordinal;
}

/* The part of `r` in the page behind the one where it starts. Its IPA is not in the trace. */
static enum exit_status second_piece(struct trace_collapser *c, const struct trace_ref *r,
				     struct diag *diag)
{
	uint64_t va = (r->va | (PAGE_BYTES - 1)) + 1;
	struct pending *p = c->vcpus[r->vcpu].open[STREAM_DATA];
	struct trace_run run = first_of(c, r, va, TRACE_IPA_UNKNOWN, SECOND_PIECE);
	enum exit_status status = STATUS_OK;

	if (p && p->run.key.va == run.key.va) {
		p->run.splits++;
		touch(&p->run, c->ordinal, run.store_ordinal);
	} else {
		status = start(c, &run, diag);
	}
	c->ordinal++;
	return status;
}

static bool straddles(const struct trace_ref *r)
{
	return r->va % PAGE_BYTES + r->size > PAGE_BYTES && r->kind != ACCESS_FETCH;
}

/* An access that does not simply join the open run. Its instructions are counted already. */
static enum exit_status collapse_slowly(struct trace_collapser *c, const struct trace_ref *r,
					struct diag *diag)
{
	struct pending *p = c->vcpus[r->vcpu].open[r->kind != ACCESS_FETCH];
	struct trace_run run = first_of(c, r, r->va, unit_ipa(c, r->ipa), WHOLE);
	enum exit_status status = STATUS_OK;

	if (p && p->run.key.va == run.key.va && same_ipa(&p->run.key, run.key.ipa, r->device)) {
		learn_ipa(&p->run.key, run.key.ipa, r->device);
		p->run.reads += run.reads;
		p->run.stores += run.stores;
		touch(&p->run, c->ordinal, run.store_ordinal);
	} else {
		status = start(c, &run, diag);
	}
	c->ordinal++;
	if (status == STATUS_OK && straddles(r))
		status = second_piece(c, r, diag);
	return status;
}

static enum exit_status collapse_batch(struct trace_collapser *c, const struct trace_ref *refs,
				       size_t n, struct diag *diag)
{
	const uint64_t unit_mask = c->unit_mask;

	for (const struct trace_ref *r = refs; r != refs + n; r++) {
		enum exit_status status;

		if (r->vcpu >= c->n_vcpus && (status = grow(c, r->vcpu, diag)))
			return status;
		struct vcpu_state *v = &c->vcpus[r->vcpu];
		const uint64_t context = context_of(r);

		if (context != v->context)
			switch_context(c, v, context);
		c->instructions += r->instructions;

		struct pending *p = v->open[r->kind != ACCESS_FETCH];

		if (p && p->run.key.va == (r->va & ~unit_mask) && !straddles(r) &&
		    (r->ipa == TRACE_IPA_UNKNOWN ||
		     ((r->ipa & ~unit_mask) == p->run.key.ipa && r->device == p->run.key.device))) {
			if (r->kind == ACCESS_STORE) {
				p->run.stores++;
				if (p->run.store_ordinal == UINT64_MAX)
					p->run.store_ordinal = c->ordinal;
			} else {
				p->run.reads++;
			}
			p->run.last_ordinal = c->ordinal++;
		} else if ((status = collapse_slowly(c, r, diag))) {
			return status;
		}
	}
	return STATUS_OK;
}

/* Raw records: each access, and each second piece, on its own. */
static enum exit_status put_raw(struct trace_collapser *c, const struct trace_ref *r,
				struct diag *diag)
{
	struct trace_run run = first_of(c, r, r->va, r->ipa, WHOLE);
	enum exit_status status;

	run.key.size_log2 = size_log2(r->va, r->size);
	run.instructions = r->instructions;
	c->ordinal++;
	status = put(c, &run, diag);
	if (status || !straddles(r))
		return status;
	run = first_of(c, r, (r->va | (PAGE_BYTES - 1)) + 1, TRACE_IPA_UNKNOWN, SECOND_PIECE);
	c->ordinal++;
	return put(c, &run, diag);
}

/* Close what has grown so much that its counts might overflow in the next batch. */
static enum exit_status close_large(struct trace_collapser *c, struct diag *diag)
{
	if (c->head != c->tail && c->ordinal - c->ring[c->head % PENDING].run.ordinal > MAX_RUN)
		return close_all(c, diag);
	return STATUS_OK;
}

enum exit_status trace_collapse(struct trace_collapser *c, const struct trace_ref *refs, size_t n,
				struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	if (c->granularity == TRACE_RAW) {
		for (size_t i = 0; i < n && !status; i++)
			status = put_raw(c, &refs[i], diag);
		return status;
	}
	while (n && !status) {
		size_t batch = n < BATCH ? n : BATCH;

		status = close_large(c, diag);
		if (!status)
			status = collapse_batch(c, refs, batch, diag);
		refs += batch;
		n -= batch;
	}
	return status;
}

/* Add `more` to the open run of the same unit; false if a count would overflow. */
static bool join(struct trace_run *run, const struct trace_run *more)
{
	if (__builtin_add_overflow(run->reads, more->reads, &run->reads) ||
	    __builtin_add_overflow(run->stores, more->stores, &run->stores) ||
	    __builtin_add_overflow(run->splits, more->splits, &run->splits))
		return false;
	if (more->last_ordinal > run->last_ordinal)
		run->last_ordinal = more->last_ordinal;
	if (more->store_ordinal < run->store_ordinal)
		run->store_ordinal = more->store_ordinal;
	return true;
}

enum exit_status trace_collapse_run(struct trace_collapser *c, const struct trace_run *run,
				    struct diag *diag)
{
	const struct trace_ref ref = { .vm = run->key.vm,
				       .asid = run->key.asid,
				       .el = run->key.el };
	struct trace_run coarse = *run;
	enum exit_status status;
	struct pending *p;

	if (c->granularity == TRACE_RAW)
		return put(c, run, diag);
	coarse.key.va &= ~c->unit_mask;
	coarse.key.ipa = unit_ipa(c, run->key.ipa);
	coarse.key.size_log2 = 0;
	if (run->key.vcpu >= c->n_vcpus && (status = grow(c, run->key.vcpu, diag)))
		return status;
	struct vcpu_state *v = &c->vcpus[run->key.vcpu];

	if (context_of(&ref) != v->context)
		switch_context(c, v, context_of(&ref));
	c->instructions += run->instructions;
	c->ordinal = run->ordinal;
	if ((status = close_large(c, diag)))
		return status;
	p = v->open[run->key.stream];
	if (p && p->run.key.va == coarse.key.va &&
	    same_ipa(&p->run.key, coarse.key.ipa, coarse.key.device)) {
		struct trace_run joined = p->run;

		if (join(&joined, &coarse)) {
			learn_ipa(&joined.key, coarse.key.ipa, coarse.key.device);
			p->run = joined;
			return STATUS_OK;
		}
	}
	return start(c, &coarse, diag);
}

enum exit_status trace_collapse_event(struct trace_collapser *c, const struct trace_event *event,
				      struct diag *diag)
{
	enum exit_status status = close_all(c, diag);

	return status ? status : trace_put_event(c->writer, event, diag);
}

enum exit_status trace_collapser_finish(struct trace_collapser *c, struct diag *diag)
{
	enum exit_status status = close_all(c, diag);

	free(c->vcpus);
	free(c);
	return status;
}
