/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage translate`: architected results of translation cases, printed or checked. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/translate_args.h"
#include "cli/translate_text.h"
#include "cli/walk_text.h"
#include "mem/phys.h"
#include "mmu/regime.h"
#include "mmu/walk.h"

#define STORED_WORD UINT64_C(0x5a5aa5a5c3c33c3c) /* what STR and STTR store */

/* Everything about the case being read. Memory keeps the case's words between queries. */
struct session {
	const struct translate_options *options;
	struct phys_mem *mem;
	struct arch_id id;
	bool has_id, has_ext;
	uint64_t ext_first, ext_end;
	char name[TRANSLATE_NAME_BYTES];
	struct mmu_regs regs;
	struct regime regime;
	unsigned tags; /* whose other choice `regime` was made with */
	bool regime_valid;
	unsigned long queries, passed, failed, attributes;
	bool listed; /* JSON: an element of the list has been printed */
	/* Of the query under way: words written, with what they held before. */
	va_t va;
	bool explain_now;
	unsigned undo_count;
	struct translate_change undo[TRANSLATE_MAX_CHANGES];
};

static void remember(struct session *s, pa_t pa, uint64_t before)
{
	for (unsigned i = 0; i < s->undo_count; i++) {
		if (s->undo[i].pa == pa.v)
			return;
	}
	/* A walk updates at most one leaf of each stage-2 walk and one of stage 1. */
	if (s->undo_count < TRANSLATE_MAX_CHANGES)
		s->undo[s->undo_count++] = (struct translate_change){ pa.v, before };
}

static void on_read(void *ctx, const struct walk_read *read)
{
	struct session *s = ctx;

	if (read->update)
		remember(s, read->pa, phys_read64(s->mem, read->pa));
	if (!s->explain_now)
		return;
	fputs("#   ", stdout);
	walk_text_read(stdout, &s->regime, s->va, read);
	putchar('\n');
}

/* The regime of this case, with the other IMPLEMENTATION DEFINED choice for each bit of `tags`. */
static void set_regime(struct session *s, unsigned tags)
{
	struct arch_cpu cpu;

	if (s->regime_valid && s->tags == tags)
		return;
	cpu_init(&cpu, &s->id);
	for (int i = 0; i < s->options->choices_count; i++)
		translate_choose(&cpu, s->options->choices[i]);
	if (tags & TAG_CONTIG_GT_INPUT)
		cpu.contiguous_misprogrammed = cpu.contiguous_misprogrammed == CONTIGUOUS_FAULT
						       ? CONTIGUOUS_IGNORE
						       : CONTIGUOUS_FAULT;
	if (tags & TAG_TXSZ_IMPDEF)
		cpu.txsz_out_of_range =
			cpu.txsz_out_of_range == TXSZ_CLAMP ? TXSZ_FAULT : TXSZ_CLAMP;
	if (tags & TAG_IFETCH_DEVICE)
		cpu.fetch_device = cpu.fetch_device == FETCH_DEVICE_FAULT ? FETCH_DEVICE_ALLOW
									  : FETCH_DEVICE_FAULT;
	regime_init(&s->regime, &cpu, &s->regs, REGIME_EL10);
	s->regime_valid = true;
	s->tags = tags;
}

/* An AT instruction puts its fault into PAR_EL1, an access into ESR_ELx. */
static void explain_fault(const struct translate_op *op, const struct fault *fault)
{
	const unsigned to_el = fault_to_el2(fault) ? 2 : 1;

	fputs("#   ", stdout);
	walk_text_fault(stdout, fault);
	if (op->op != TRANSLATE_AT)
		printf(", ESR_EL%u %" PRIx64, to_el, fault_esr(fault, op->kind, op->el, to_el));
	putchar('\n');
}

static void answer_at(const struct translation *t, struct translate_result *r)
{
	if (t->fault.type == FAULT_EXTERNAL_WALK) {
		r->kind = RESULT_AT_ABORT;
		r->fsc = (uint8_t)fault_fsc(&t->fault);
		r->s1ptw = t->fault.s1ptw;
		return;
	}
	r->kind = RESULT_PAR;
	r->value = t->fault.type == FAULT_NONE ? fault_par_success(t->pa.v, t->attr, t->sh)
					       : fault_par(&t->fault);
}

static void answer_abort(const struct fault *fault, const struct access *access,
			 struct translate_result *r)
{
	r->kind = fault_to_el2(fault) ? RESULT_EL2_ABORT : RESULT_EL1_ABORT;
	r->fsc = (uint8_t)fault_fsc(fault);
	r->s1ptw = fault->s1ptw;
	r->wnr = access->kind == ACCESS_STORE;
	r->far = access->va.v;
	if (r->kind == RESULT_EL2_ABORT) {
		r->hpfar = fault_hpfar(fault);
		r->hpfar_known = fault_hpfar_valid(fault);
	}
}

/* The access itself, after its translation. False when out of memory. */
static bool answer_access(struct session *s, const struct access *access,
			  const struct translation *t, struct translate_result *r)
{
	struct fault fault = t->fault;

	if (fault.type == FAULT_NONE && phys_aborts(s->mem, t->pa))
		fault = (struct fault){ .type = FAULT_EXTERNAL, .stage = 1 };
	if (fault.type != FAULT_NONE) {
		answer_abort(&fault, access, r);
		return true;
	}
	r->kind = RESULT_DONE;
	if (access->kind == ACCESS_LOAD) {
		r->has_data = true;
		r->value = phys_read64(s->mem, t->pa);
	} else if (access->kind == ACCESS_STORE) {
		remember(s, t->pa, phys_read64(s->mem, t->pa));
		return phys_write64(s->mem, t->pa, STORED_WORD);
	}
	return true;
}

/* Report what changed and put memory back. False when out of memory. */
static bool take_back(struct session *s, struct translate_result *r)
{
	bool ok = true;

	for (unsigned i = 0; i < s->undo_count; i++) {
		uint64_t now = phys_read64(s->mem, pa_of(s->undo[i].pa));

		if (now == s->undo[i].value)
			continue;
		r->changes[r->changes_count++] = (struct translate_change){ s->undo[i].pa, now };
		ok = phys_write64(s->mem, pa_of(s->undo[i].pa), s->undo[i].value) && ok;
	}
	s->undo_count = 0;
	return ok;
}

/* Answer one query, memory as the case lists it. False when out of memory. */
static bool run_query(struct session *s, const struct translate_query *query, unsigned tags,
		      struct translate_result *result)
{
	const struct translate_op *op = query->op;
	struct walk_hooks hooks = { .ctx = s, .read = on_read };
	struct access access = { .va = va_of(query->va),
				 .kind = op->kind,
				 .el = op->el,
				 .at = op->op == TRANSLATE_AT,
				 .stage1_only = op->stage1_only };
	struct translation t;
	bool ok = true;

	*result = (struct translate_result){ 0 };
	set_regime(s, tags);
	if (op->op == TRANSLATE_REAL)
		access.size_log2 = 3;
	/* A branch to a tagged address drops the tag (AArch64.BranchAddr). */
	if (op->kind == ACCESS_FETCH)
		access.va = va_of(regime_untag(&s->regime, access.va, ACCESS_FETCH));
	s->va = access.va;
	mmu_walk(&s->regime, s->mem, &access, &hooks, &t);
	if (s->explain_now && t.fault.type != FAULT_NONE)
		explain_fault(op, &t.fault);
	if (op->op == TRANSLATE_AT)
		answer_at(&t, result);
	else
		ok = answer_access(s, &access, &t, result);
	return take_back(s, result) && ok;
}

/* The start of an element of the JSON list, up to and with its VA. */
static void print_json_query(struct session *s, const struct translate_query *query)
{
	printf("%s\n{\"case\":", s->listed ? "," : "");
	output_json_string(stdout, s->name);
	printf(",\"op\":\"%s\",\"va\":%" PRIu64, query->op->name, query->va);
	s->listed = true;
}

/* Results have no characters that JSON would want escaped. */
static void print_json_result(const char *key, const struct translate_result *result)
{
	printf(",\"%s\":\"", key);
	translate_print_result(stdout, result);
	putchar('"');
}

static void print_query(struct session *s, const struct translate_query *query,
			const struct translate_result *result)
{
	if (s->options->json) {
		print_json_query(s, query);
		print_json_result("result", result);
		putchar('}');
		return;
	}
	printf("q %s %" PRIx64 " ", query->op->name, query->va);
	translate_print_result(stdout, result);
	putchar('\n');
}

static void print_mismatch(struct session *s, const struct translate_reader *reader,
			   const struct translate_query *query, const struct translate_result *ours,
			   const char *what)
{
	if (s->options->json) {
		print_json_query(s, query);
		printf(",\"what\":\"%s\",\"line\":%lu,\"file\":", what, reader->line.number);
		output_json_string(stdout, reader->line.path);
		print_json_result("expected", &query->expected);
		print_json_result("got", ours);
		putchar('}');
		return;
	}
	printf("%s:%lu: %s: %s %" PRIx64 ": %s: expected ", reader->line.path, reader->line.number,
	       s->name, query->op->name, query->va, what);
	translate_print_result(stdout, &query->expected);
	fputs(", got ", stdout);
	translate_print_result(stdout, ours);
	putchar('\n');
}

/* With tags, any combination of the choices that they name is right. */
static bool check_query(struct session *s, const struct translate_reader *reader,
			const struct translate_query *query)
{
	struct translate_result ours, first = { 0 };
	enum translate_match best = MATCH_NO;

	for (unsigned choice = 0; choice < 1U << TAGS_COUNT && best != MATCH_YES; choice++) {
		enum translate_match match;

		if (choice & ~query->tags)
			continue;
		if (!run_query(s, query, choice, &ours))
			return false;
		if (choice == 0)
			first = ours;
		match = translate_compare(query, &ours);
		best = match > best ? match : best;
	}
	if (best == MATCH_NO) {
		s->failed++;
		print_mismatch(s, reader, query, &first, "mismatch");
		return true;
	}
	s->passed++;
	if (best == MATCH_ATTRIBUTES_DIFFER) {
		s->attributes++;
		print_mismatch(s, reader, query, &first, "attributes differ");
	}
	return true;
}

static enum exit_status refuse(const struct translate_reader *reader, struct diag *diag,
			       const char *text)
{
	diag_set(diag, STATUS_BAD_INPUT, "%s", text);
	diag_place(diag, "%s:%lu", reader->line.path, reader->line.number);
	return STATUS_BAD_INPUT;
}

static enum exit_status do_query(struct session *s, struct translate_reader *reader,
				 const struct translate_query *query, struct diag *diag)
{
	struct translate_result result;
	bool ok;

	if (!s->has_id)
		return refuse(reader, diag,
			      "no '# corpus' line with ID registers before the first query");
	s->queries++;
	s->explain_now = s->options->explain;
	if (s->explain_now && s->options->mode == MODE_CHECK)
		printf("# %s %s %" PRIx64 "\n", s->name, query->op->name, query->va);
	if (s->options->mode == MODE_PRINT) {
		ok = run_query(s, query, 0, &result);
		print_query(s, query, &result);
	} else if (query->expected.kind == RESULT_NONE) {
		return refuse(reader, diag, "q: no result to check against");
	} else {
		ok = check_query(s, reader, query);
	}
	return ok ? STATUS_OK : diag_set(diag, STATUS_INTERNAL, "out of memory");
}

static void start_case(struct session *s, const char *name)
{
	memcpy(s->name, name, strlen(name) + 1);
	phys_reset(s->mem);
	if (s->has_ext)
		phys_add_abort_range(s->mem, pa_of(s->ext_first), pa_of(s->ext_end));
	if (s->options->mode == MODE_PRINT && !s->options->json)
		printf("case %s\n", s->name);
}

static enum exit_status do_item(struct session *s, struct translate_reader *reader,
				const struct translate_item *item, struct diag *diag)
{
	switch (item->kind) {
	case ITEM_EOF:
		break;
	case ITEM_CORPUS:
		s->id = item->id;
		s->has_id = true;
		s->has_ext = item->has_ext;
		s->ext_first = item->ext_first;
		s->ext_end = item->ext_end;
		s->regime_valid = false;
		break;
	case ITEM_CASE:
		start_case(s, item->name);
		break;
	case ITEM_REGS:
		s->regs = item->regs;
		s->regime_valid = false;
		break;
	case ITEM_MEM:
		if (!phys_write64(s->mem, pa_of(item->word.pa), item->word.value))
			return diag_set(diag, STATUS_INTERNAL, "out of memory");
		break;
	case ITEM_QUERY:
		return do_query(s, reader, &item->query, diag);
	case ITEM_END:
		if (s->options->mode == MODE_PRINT && !s->options->json)
			puts("end");
		break;
	}
	return STATUS_OK;
}

static enum exit_status do_file(struct session *s, const char *path, struct diag *diag)
{
	struct translate_reader reader;
	struct translate_item item = { .kind = ITEM_CASE };
	const unsigned long queries = s->queries;
	enum exit_status status = translate_open(&reader, path, diag);

	s->has_id = false;
	while (status == STATUS_OK) {
		item.id = (struct arch_id){ 0 };
		status = translate_next(&reader, &item, diag);
		if (status == STATUS_OK && item.kind == ITEM_EOF)
			break;
		if (status == STATUS_OK)
			status = do_item(s, &reader, &item, diag);
	}
	translate_close(&reader);
	if (status == STATUS_OK && s->options->mode == MODE_CHECK && s->queries == queries)
		status = diag_set(diag, STATUS_BAD_INPUT, "%s: no query in it: nothing to check",
				  path);
	return status;
}

/* What stands behind the queries: the counts, and with --check whether all is well. */
static enum exit_status print_counts(const struct session *s, enum exit_status status)
{
	const bool check = s->options->mode == MODE_CHECK;

	if (s->options->json) {
		printf("],\"stats\":{\"queries\":%lu", s->queries);
		if (check)
			printf(",\"passed\":%lu,\"failed\":%lu,\"attributes_differ\":%lu",
			       s->passed, s->failed, s->attributes);
		printf("}}\n");
	} else if (check && status == STATUS_OK) {
		if (s->attributes)
			printf("%lu with other attributes\n", s->attributes);
		printf("%lu passed, %lu failed\n", s->passed, s->failed);
	}
	return status == STATUS_OK && s->failed ? STATUS_MISMATCH : status;
}

static int run(int argc, char **argv)
{
	struct translate_options options = { 0 };
	struct session *s;
	struct diag diag = DIAG_INIT;
	enum exit_status status = STATUS_OK;

	translate_args_parse(argc, argv, &options);
	s = calloc(1, sizeof(*s));
	if (s)
		s->mem = phys_create();
	if (!s || !s->mem) {
		free(s);
		return output_error(STATUS_INTERNAL, "out of memory");
	}
	s->options = &options;
	if (options.json)
		printf("{\"schema\":1,\"params\":{},\"%s\":[",
		       options.mode == MODE_CHECK ? "mismatches" : "queries");
	for (int i = 0; i < options.input.files_count && status == STATUS_OK; i++)
		status = do_file(s, options.input.files[i], &diag);
	status = print_counts(s, status);
	phys_destroy(s->mem);
	free(s);
	if (diag.status != STATUS_OK)
		return output_diag(&diag);
	return (int)status;
}

const struct command cmd_translate = {
	.name = "translate",
	.summary = "architected result of translation cases, or a check of their answers",
	.run = run,
};
