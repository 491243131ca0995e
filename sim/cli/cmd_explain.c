/* SPDX-License-Identifier: BSD-2-Clause */
/* Every step of one translation, on a machine in which the page has just been mapped. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/desc.h"
#include "cli/command.h"
#include "cli/config_args.h"
#include "cli/output.h"
#include "mmu/regime.h"
#include "run/machine.h"

enum { STEPS_MAX = 128, KEY_KIND = 'k', KEY_WARM = 'w', KEY_JSON = 'j' };

struct step {
	struct walk_read read;
	struct latency_result found;
};

struct arguments {
	struct config_args config;
	uint64_t va;
	bool has_va, warm, json;
	enum access_kind kind;
};

struct explanation {
	struct machine machine;
	const struct mmu_space *space;
	struct step steps[STEPS_MAX];
	size_t n_steps;
	struct tlb_leaf leaf; /* the entry of the L1 TLB */
	uint64_t cycles;      /* of the walk */
};

static const char *const kinds[] = { "fetch", "load", "store" };
static const char *const places[] = { "L1D", "L2", "LLC", "DRAM" };

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *args = state->input;
	char *end;

	switch (key) {
	case KEY_KIND:
		for (int i = 0; i < 3; i++)
			if (strcmp(text, kinds[i]) == 0) {
				args->kind = (enum access_kind)i;
				return 0;
			}
		argp_error(state, "--kind: '%s' is not fetch, load or store", text);
		return 0;
	case KEY_WARM:
		args->warm = true;
		return 0;
	case KEY_JSON:
		args->json = true;
		return 0;
	case ARGP_KEY_ARG:
		errno = 0;
		args->va = strtoull(text, &end, 0);
		if (args->has_va || errno || *end || end == text || *text == '-')
			argp_error(state, "'%s': expected one VA, such as 0x7f0012345678", text);
		args->has_va = true;
		return 0;
	case ARGP_KEY_END:
		if (!args->has_va)
			argp_error(state, "which VA? Give one, such as 0x7f0012345678");
		return 0;
	default:
		return config_args_parse(&args->config, key, text, state);
	}
}

static void watch(void *ctx, const struct walk_read *read, struct latency_result found)
{
	struct explanation *e = ctx;

	if (e->n_steps < STEPS_MAX)
		e->steps[e->n_steps++] = (struct step){ .read = *read, .found = found };
}

/* Forget what the TLBs hold and, unless `warm`, the walk caches and data caches, too. */
static void forget(struct mmu *mmu, bool warm)
{
	const struct tlb_match all = { .scope = TLB_SCOPE_ALL };

	mmu_invalidate(mmu, MMU_ALL_VCPUS, &all, warm ? WALK_CACHE_KEEP : WALK_CACHE_BOTH);
	if (!warm)
		mmu_forget_caches(mmu);
}

static enum exit_status explain(const struct arguments *args, const struct config *config,
				struct explanation *e, struct diag *diag)
{
	struct mmu *mmu = &e->machine.mmu;
	struct mmu_request request = {
		.va = va_of(args->va),
		.kind = args->kind,
		.known_ipa = UINT64_MAX,
	};
	uint32_t slot;

	if (machine_init(&e->machine, config, 1, 1, diag) != STATUS_OK)
		return diag->status;
	machine_run_vm(&e->machine, 0, 0);
	e->space = request.space = vm_space(e->machine.vms[0], 1, diag);
	if (!e->space)
		return diag->status;
	if (mmu_access(mmu, 0, &request) == TLB_NONE)
		return diag_set(diag, vm_diag(e->machine.vms[0])->status, "%s",
				vm_diag(e->machine.vms[0])->text);
	forget(mmu, args->warm);
	mmu->watch = watch;
	mmu->watch_ctx = e;
	e->cycles = mmu->stats.v[STAT_walk_cycles];
	slot = mmu_access(mmu, 0, &request);
	e->cycles = mmu->stats.v[STAT_walk_cycles] - e->cycles;
	if (slot == TLB_NONE)
		return diag_set(diag, STATUS_INTERNAL, "the second walk faulted");
	e->leaf = mmu_l1(mmu, 0, args->kind == ACCESS_FETCH ? MMU_FETCH : MMU_DATA)->leaf[slot];
	return STATUS_OK;
}

static const struct regime_stage *stage_of(const struct explanation *e,
					   const struct walk_read *read)
{
	const struct regime *regime = e->space->regime;

	return read->stage == 2 ? &regime->s2 : &regime->s1[read->ia >> 55 & 1];
}

/* "table at 0x...", "2M block at 0x..." or "4K page at 0x...". */
static void decoded_text(const struct explanation *e, const struct walk_read *read, char text[64])
{
	const struct regime_stage *stage = stage_of(e, read);
	const unsigned bits = level_shift(stage->format.granule, read->level);
	char size[16];

	if (desc_kind(&stage->format, read->desc, read->level) == DESC_KIND_TABLE) {
		snprintf(text, 64, "table at 0x%" PRIx64, desc_address(&stage->format, read->desc));
		return;
	}
	output_size(UINT64_C(1) << bits, size);
	snprintf(text, 64, "%s %s at 0x%" PRIx64, size, read->level == 3 ? "page" : "block",
		 desc_leaf_address(&stage->format, read->desc, bits));
}

/* Entry of its table, and the table's PA; root tables may be concatenated. */
static uint64_t index_of(const struct explanation *e, const struct walk_read *read, uint64_t *table)
{
	const struct regime_stage *stage = stage_of(e, read);
	const unsigned shift = level_shift(stage->format.granule, read->level);
	const unsigned width =
		read->level == stage->start_level ? stage->ia_bits - shift : stage->stride_bits;
	const uint64_t index = read->ia >> shift & low_mask(width);

	*table = read->pa.v - 8 * index;
	return index;
}

static void for_text(const struct walk_read *read, char text[16])
{
	if (read->stage == 1)
		snprintf(text, 16, "VA");
	else if (read->for_level == 4)
		snprintf(text, 16, "final IPA");
	else
		snprintf(text, 16, "S1 L%d table", read->for_level);
}

static void print_text(const struct arguments *args, const struct explanation *e)
{
	char s1[16], s2[16], entry[16], what[64], why[16];
	uint64_t table;

	printf("%s of VA 0x%" PRIx64 "\n\n", kinds[args->kind], args->va);
	printf("  # stage level  for           input address   table           entry  descriptor"
	       "          decoded                        found  cycles\n");
	for (size_t i = 0; i < e->n_steps; i++) {
		const struct walk_read *read = &e->steps[i].read;
		const uint64_t index = index_of(e, read, &table);

		decoded_text(e, read, what);
		for_text(read, why);
		printf("%3zu   %d    %3d    %-12s  0x%-13" PRIx64 " 0x%-13" PRIx64 " %5" PRIu64
		       "  0x%016" PRIx64 "  %-29s  %-5s  %6u\n",
		       i + 1, read->stage, read->level, why, read->ia, table, index, read->desc,
		       what, places[e->steps[i].found.found_in], e->steps[i].found.cycles);
	}
	output_size(UINT64_C(1) << e->leaf.s1_bits, s1);
	output_size(UINT64_C(1) << e->leaf.s2_bits, s2);
	output_size(UINT64_C(1) << e->leaf.size_bits, entry);
	printf("\nPA 0x%" PRIx64 "; stage-1 leaf %s, stage-2 leaf %s, L1 TLB entry %s\n",
	       e->leaf.pa.v | (args->va & low_mask(e->leaf.size_bits)), s1, s2, entry);
	printf("%zu descriptor reads, %" PRIu64 " cycles, hits in walk caches included\n",
	       e->n_steps, e->cycles);
}

static void print_json(const struct arguments *args, const struct config *config,
		       const struct explanation *e)
{
	char what[64];
	uint64_t table;

	printf("{\"schema\":1,\"params\":");
	output_json_params(stdout, config);
	printf(",\"stats\":{\"va\":%" PRIu64 ",\"pa\":%" PRIu64 ",\"walk_reads\":%zu,"
	       "\"walk_cycles\":%" PRIu64 ",\"s1_leaf_bytes\":%" PRIu64
	       ",\"s2_leaf_bytes\":%" PRIu64 ",\"tlb_entry_bytes\":%" PRIu64 "},\"steps\":[",
	       args->va, e->leaf.pa.v | (args->va & low_mask(e->leaf.size_bits)), e->n_steps,
	       e->cycles, UINT64_C(1) << e->leaf.s1_bits, UINT64_C(1) << e->leaf.s2_bits,
	       UINT64_C(1) << e->leaf.size_bits);
	for (size_t i = 0; i < e->n_steps; i++) {
		const struct walk_read *read = &e->steps[i].read;
		const uint64_t index = index_of(e, read, &table);

		decoded_text(e, read, what);
		printf("%s{\"stage\":%d,\"level\":%d,\"for_level\":%d,\"ia\":%" PRIu64
		       ",\"table\":%" PRIu64 ",\"index\":%" PRIu64 ",\"pa\":%" PRIu64
		       ",\"descriptor\":%" PRIu64 ",\"decoded\":",
		       i ? "," : "", read->stage, read->level, read->for_level, read->ia, table,
		       index, read->pa.v, read->desc);
		output_json_string(stdout, what);
		printf(",\"found\":\"%s\",\"cycles\":%u}", places[e->steps[i].found.found_in],
		       e->steps[i].found.cycles);
	}
	printf("]}\n");
}

static int run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		CONFIG_OPTIONS,
		{ "kind", KEY_KIND, "KIND", 0, "fetch, load (the default) or store", 0 },
		{ "warm", KEY_WARM, NULL, 0,
		  "with walk caches and data caches as one earlier walk left them", 0 },
		{ "json", KEY_JSON, NULL, 0, "print JSON", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "VA",
		.doc = "Map the page of a VA, then print every step of its translation.",
	};
	struct arguments args = { .kind = ACCESS_LOAD };
	struct diag diag = DIAG_INIT;
	static struct explanation e;
	struct model *model;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	model = config_args_load(&args.config, &diag);
	if (model && explain(&args, &model->config, &e, &diag) == STATUS_OK) {
		if (args.json)
			print_json(&args, &model->config, &e);
		else
			print_text(&args, &e);
	}
	machine_fini(&e.machine);
	model_free(model);
	return output_diag(&diag);
}

const struct command cmd_explain = {
	.name = "explain",
	.summary = "print every step of one translation",
	.run = run,
};
