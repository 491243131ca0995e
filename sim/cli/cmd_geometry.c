/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage geometry`: stage-2 table shapes for every IPA size, and what a host can set up. */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/desc.h"
#include "arch/geometry.h"
#include "cli/command.h"
#include "cli/geometry_matrix.h"
#include "cli/output.h"

/* One row of the table. */
struct row {
	enum granule granule;
	unsigned ipa_bits;
	enum geometry_status status;
	struct s2_geometry g;		     /* if GEOMETRY_OK */
	unsigned raw_levels;		     /* before KVM's minimum of 2 */
	bool pud_v10, pud_relaxed, pud_size; /* the three rules of KVM's history */
	bool pud_arch;			     /* does the architecture have that block here? */
	enum geometry_support host;
	uint64_t vtcr;
};

/* A PE with all granules at both stages. */
static void host_cpu(const struct geometry_options *options, struct arch_cpu *cpu)
{
	struct arch_id id = { .mmfr0 = cpu_pa_size_field(options->pa_bits),
			      .mmfr1 = UINT64_C(2) << 4,    /* VMIDBits: 16 */
			      .mmfr2 = UINT64_C(1) << 16 |  /* VARange: 52 bits */
				       UINT64_C(1) << 28 }; /* ST: small tables */

	/* TGran16 = 1 or 2, TGran4 = 0 or 1; the stage-2 fields 0: as stage 1. */
	id.mmfr0 |= UINT64_C(1) << 20;
	if (options->lpa2 == LPA2_YES)
		id.mmfr0 += UINT64_C(1) << 20 | UINT64_C(1) << 28;
	cpu_init(cpu, &id);
}

static void fill_row(const struct geometry_options *options, const struct arch_cpu *cpu,
		     enum granule granule, unsigned ipa_bits, struct row *row)
{
	unsigned pmd_bits = geometry_pmd_bits(granule), pud_bits = geometry_pud_bits(granule);
	unsigned host_levels = 4;

	*row = (struct row){ .granule = granule, .ipa_bits = ipa_bits };
	row->status = geometry_s2(cpu, granule, ipa_bits, options->start_level, &row->g);
	row->host = SUPPORT_YES;
	if (row->status != GEOMETRY_OK)
		return;
	row->raw_levels = geometry_kvm_levels(granule, ipa_bits);
	if (options->host_va_bits != 0)
		host_levels = geometry_host_levels(granule, options->host_va_bits);
	if (row->g.levels > host_levels)
		row->host = SUPPORT_NO;
	/* kvm_stage2_has_pud() and _has_pmd() also look at the host's CONFIG_PGTABLE_LEVELS. */
	row->pud_v10 = row->g.levels > 3 && host_levels > 3;
	row->pud_relaxed = row->g.levels > 2 && host_levels > 2;
	row->pud_size = pud_bits >= pmd_bits && row->g.pgdir_bits >= pud_bits;
	row->pud_arch = desc_format_of(granule, row->g.ds, cpu->pa_bits).min_block_level <= 1;
	row->vtcr = geometry_vtcr(cpu, &row->g);
}

static char yes_no(bool value)
{
	return value ? 'Y' : 'n';
}

static void print_text_row(const struct geometry_options *options, const struct row *row)
{
	const struct s2_geometry *g = &row->g;
	char maps[24], root[24], pmd[24], pud[24], levels[24], start[24];

	printf("%-4s %3u  ", geometry_granule_name(row->granule), row->ipa_bits);
	if (row->status != GEOMETRY_OK) {
		printf("not possible: %s\n", geometry_status_text(row->status));
		return;
	}
	snprintf(levels, sizeof(levels), "%u", g->levels);
	if (options->start_level == GEOMETRY_START_AUTO && row->raw_levels != g->levels)
		snprintf(levels, sizeof(levels), "%u (raw %u)", g->levels, row->raw_levels);
	snprintf(start, sizeof(start), "L%d", g->start_level);
	output_size(UINT64_C(1) << geometry_pmd_bits(row->granule), pmd);
	output_size(UINT64_C(1) << geometry_pud_bits(row->granule), pud);
	printf("%-9s %-5s %3u  %2d  %-6s %7" PRIu64 " %6u  %-6s %3u  ", levels, start,
	       geometry_s2_sl(row->granule, g->start_level) & 3, g->ds,
	       output_size(UINT64_C(1) << g->pgdir_bits, maps), g->root_entries, g->root_tables,
	       output_size(g->root_bytes, root), g->root_align_bits);
	printf("%c/%c/%c  %-4s %-5s %s", yes_no(row->pud_v10), yes_no(row->pud_relaxed),
	       yes_no(row->pud_size), pud, row->pud_arch ? "yes" : "no", pmd);
	if (options->host_va_bits)
		printf("  %s", geometry_support_name(row->host));
	putchar('\n');
}

static void print_text_head(const struct geometry_options *options)
{
	printf("Stage 2 as KVM sets it up; host: %u-bit PA, LPA2 %s", options->pa_bits,
	       options->lpa2 == LPA2_YES ? "yes" : "no");
	if (options->host_va_bits)
		printf(", %u-bit VA", options->host_va_bits);
	puts("\n\ngran IPA  levels    start SL0  DS  PGDIR      PGD concat  PGD    VTT  PUD    PUD "
	     " "
	     "PUD   PMD");
	printf("                                  maps    entries tables  bytes  BR.x a/b/c  size "
	       "arch"
	       "%s\n",
	       options->host_va_bits ? "       host" : "");
}

static void print_text_notes(const struct geometry_options *options)
{
	puts("\nPUD a/b/c: a PUD block can be mapped under (a) v10, 4 levels; (b) relaxed, at "
	     "least 3;"
	     "\n(c) size, not larger than what a root entry maps. PUD arch: the architecture has "
	     "that"
	     "\nblock size at all here. VTTBR.x: the root is aligned to 2^x bytes. KVM allocates at"
	     "\nleast one page for it.");
	if (options->host_va_bits)
		puts("host: stage 2 has no more levels than the host's stage 1.");
}

static const char empty_columns[] = ",,,,,,,,,,,,,,,,,,,"; /* between ipa_bits and status */

static void print_csv_row(const struct geometry_options *options, const struct row *row)
{
	const struct s2_geometry *g = &row->g;

	printf("%s,%u,", geometry_granule_name(row->granule), row->ipa_bits);
	if (row->status != GEOMETRY_OK) {
		printf("%s%s\n", empty_columns, geometry_status_text(row->status));
		return;
	}
	printf("%u,%u,%d,%u,%d,%" PRIu64 ",%" PRIu64 ",%u,%" PRIu64 ",%" PRIu64 ",%u,", g->levels,
	       row->raw_levels, g->start_level, geometry_s2_sl(row->granule, g->start_level), g->ds,
	       UINT64_C(1) << g->pgdir_bits, g->root_entries, g->root_tables, g->root_bytes,
	       g->root_alloc_bytes, g->root_align_bits);
	printf("%" PRIu64 ",%d,%d,%d,%d,%" PRIu64 ",0x%" PRIx64 ",%s,legal\n",
	       UINT64_C(1) << geometry_pud_bits(row->granule), row->pud_v10, row->pud_relaxed,
	       row->pud_size, row->pud_arch, UINT64_C(1) << geometry_pmd_bits(row->granule),
	       row->vtcr, options->host_va_bits ? geometry_support_name(row->host) : "");
}

static void print_json_row(const struct geometry_options *options, const struct row *row,
			   const char *comma)
{
	const struct s2_geometry *g = &row->g;

	printf("%s\n{\"granule\":%u,\"ipa_bits\":%u,\"status\":", comma, 1U << row->granule,
	       row->ipa_bits);
	output_json_string(stdout, geometry_status_text(row->status));
	if (row->status == GEOMETRY_OK) {
		printf(",\"levels\":%u,\"raw_levels\":%u,\"start_level\":%d,\"sl0\":%u,\"sl2\":%u,"
		       "\"ds\":%d,\"pgdir_entry_bytes\":%" PRIu64 ",\"pgd_entries\":%" PRIu64,
		       g->levels, row->raw_levels, g->start_level,
		       geometry_s2_sl(row->granule, g->start_level) & 3,
		       geometry_s2_sl(row->granule, g->start_level) >> 2, g->ds,
		       UINT64_C(1) << g->pgdir_bits, g->root_entries);
		printf(",\"concatenated_tables\":%u,\"pgd_bytes\":%" PRIu64
		       ",\"pgd_allocated_bytes\":%" PRIu64 ",\"vttbr_x\":%u",
		       g->root_tables, g->root_bytes, g->root_alloc_bytes, g->root_align_bits);
		printf(",\"pud_bytes\":%" PRIu64 ",\"pud_v10\":%d,\"pud_relaxed\":%d,"
		       "\"pud_size\":%d,\"pud_arch\":%d,\"pmd_bytes\":%" PRIu64
		       ",\"vtcr_el2\":%" PRIu64,
		       UINT64_C(1) << geometry_pud_bits(row->granule), row->pud_v10,
		       row->pud_relaxed, row->pud_size, row->pud_arch,
		       UINT64_C(1) << geometry_pmd_bits(row->granule), row->vtcr);
		if (options->host_va_bits)
			printf(",\"host\":\"%s\"", geometry_support_name(row->host));
	}
	putchar('}');
}

static void print_json_params(const struct geometry_options *options)
{
	printf("{\"schema\":1,\"params\":{\"pa_bits\":%u,\"lpa2\":%d", options->pa_bits,
	       options->lpa2 == LPA2_YES);
	if (options->host_va_bits)
		printf(",\"host_va_bits\":%u", options->host_va_bits);
	if (options->start_level != GEOMETRY_START_AUTO)
		printf(",\"start_level\":%d", options->start_level);
}

static void print_table(const struct geometry_options *options)
{
	unsigned rows = options->granules_count * options->sizes_count, legal = 0;
	struct arch_cpu cpu;

	host_cpu(options, &cpu);
	if (options->format == FORMAT_TEXT)
		print_text_head(options);
	else if (options->format == FORMAT_CSV)
		puts("granule,ipa_bits,levels,raw_levels,start_level,sl2_sl0,ds,pgdir_entry_bytes,"
		     "pgd_entries,concatenated_tables,pgd_bytes,pgd_allocated_bytes,vttbr_x,"
		     "pud_bytes,pud_v10,pud_relaxed,pud_size,pud_arch,pmd_bytes,vtcr_el2,host,"
		     "status");
	else {
		print_json_params(options);
		fputs("},\"rows\":[", stdout);
	}
	for (unsigned i = 0; i < rows; i++) {
		struct row row;

		fill_row(options, &cpu, options->granules[i / options->sizes_count],
			 options->sizes[i % options->sizes_count], &row);
		legal += row.status == GEOMETRY_OK;
		if (options->format == FORMAT_TEXT)
			print_text_row(options, &row);
		else if (options->format == FORMAT_CSV)
			print_csv_row(options, &row);
		else
			print_json_row(options, &row, i ? "," : "");
	}
	if (options->format == FORMAT_TEXT)
		print_text_notes(options);
	else if (options->format == FORMAT_JSON)
		printf("],\"stats\":{\"rows\":%u,\"legal\":%u}}\n", rows, legal);
}

enum option_key { OPT_JSON = 256, OPT_CSV, OPT_NO_LPA2, OPT_HOST_VA, OPT_PA };

static const struct argp_option argp_options[] = {
	{ "granule", 'g', "LIST", 0, "Page sizes of the host: 4K, 16K, 64K (all)", 0 },
	{ "ipa", 'i', "LIST", 0, "IPA sizes in bits; A-B is a range (32,36,40,42,44,48,52)", 0 },
	{ "start-level", 's', "LEVEL", 0, "Start level -1..3, or auto: KVM's choice (auto)", 0 },
	{ "pa", OPT_PA, "BITS", 0, "PA size of the core: 32, 36, 40, 42, 44, 48, 52 (52)", 0 },
	{ "no-lpa2", OPT_NO_LPA2, NULL, 0, "The core has no FEAT_LPA2: 4K and 16K end at 48 bits",
	  0 },
	{ "host-va", OPT_HOST_VA, "BITS", 0, "VA size of the host kernel: show what it can set up",
	  0 },
	{ "matrix", 'm', NULL, 0, "IPA sizes that the usual host kernels can set up", 0 },
	{ "json", OPT_JSON, NULL, 0, "Print JSON", 0 },
	{ "csv", OPT_CSV, NULL, 0, "Print CSV", 0 },
	{ 0 },
};

/* A decimal number in [minimum, maximum] up to one of `ends`; exits through argp_error if not. */
static unsigned parse_bits(struct argp_state *state, const char *what, const char **text,
			   const char *ends, unsigned minimum, unsigned maximum)
{
	char *end;
	unsigned long value = strtoul(*text, &end, 10);

	if (**text < '0' || **text > '9' || (*end && !strchr(ends, *end)) || value < minimum ||
	    value > maximum)
		argp_error(state, "%s: expected a number from %u to %u, not '%s'", what, minimum,
			   maximum, *text);
	*text = end;
	return (unsigned)value;
}

static void parse_sizes(struct argp_state *state, struct geometry_options *options,
			const char *text)
{
	options->sizes_count = 0;
	for (;;) {
		unsigned first = parse_bits(state, "--ipa", &text, ",-", 25, 52), last = first;

		if (*text == '-') {
			text++;
			last = parse_bits(state, "--ipa", &text, ",", first, 52);
		}
		for (; first <= last; first++) {
			if (options->sizes_count == GEOMETRY_MAX_SIZES)
				argp_error(state, "--ipa: at most %d sizes", GEOMETRY_MAX_SIZES);
			options->sizes[options->sizes_count++] = first;
		}
		if (!*text)
			return;
		text++;
	}
}

static void parse_granules(struct argp_state *state, struct geometry_options *options,
			   const char *text)
{
	static const enum granule all[] = { GRANULE_4K, GRANULE_16K, GRANULE_64K };
	bool wanted[3] = { false };

	for (;;) {
		size_t length = strcspn(text, ",");
		unsigned i = 0;

		while (i < 3 && (strncmp(text, geometry_granule_name(all[i]), length) != 0 ||
				 strlen(geometry_granule_name(all[i])) != length))
			i++;
		if (i == 3)
			argp_error(state, "--granule: expected 4K, 16K or 64K, not '%s'", text);
		wanted[i] = true;
		if (!text[length])
			break;
		text += length + 1;
	}
	options->granules_count = 0;
	for (unsigned i = 0; i < 3; i++) {
		if (wanted[i])
			options->granules[options->granules_count++] = all[i];
	}
}

static void parse_start_level(struct argp_state *state, struct geometry_options *options,
			      const char *text)
{
	options->start_level = GEOMETRY_START_AUTO;
	if (strcmp(text, "auto") == 0)
		return;
	if (strcmp(text, "-1") == 0)
		options->start_level = -1;
	else if (text[0] >= '0' && text[0] <= '3' && !text[1])
		options->start_level = text[0] - '0';
	else
		argp_error(state, "--start-level: expected auto or a level from -1 to 3, not '%s'",
			   text);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct geometry_options *options = state->input;
	const char *text = arg;

	switch (key) {
	case 'g':
		parse_granules(state, options, text);
		return 0;
	case 'i':
		parse_sizes(state, options, text);
		return 0;
	case 's':
		parse_start_level(state, options, text);
		return 0;
	case 'm':
		options->matrix = true;
		return 0;
	case OPT_PA:
		options->pa_bits = parse_bits(state, "--pa", &text, "", 32, 52);
		if (cpu_pa_size_bits(cpu_pa_size_field(options->pa_bits)) != options->pa_bits)
			argp_error(state, "--pa: expected 32, 36, 40, 42, 44, 48 or 52, not '%s'",
				   arg);
		return 0;
	case OPT_NO_LPA2:
		options->lpa2 = LPA2_NO;
		return 0;
	case OPT_HOST_VA:
		options->host_va_bits = parse_bits(state, "--host-va", &text, "", 25, 52);
		return 0;
	case OPT_JSON:
	case OPT_CSV:
		options->format = key == OPT_JSON ? FORMAT_JSON : FORMAT_CSV;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.doc = "Print the shape of KVM's stage-2 tables for each page size and IPA size.",
};

static int run(int argc, char **argv)
{
	static const unsigned table_sizes[] = { 32, 36, 40, 42, 44, 48, 52 };
	struct geometry_options options = { .pa_bits = 52,
					    .start_level = GEOMETRY_START_AUTO,
					    .granules_count = 3,
					    .granules = { GRANULE_4K, GRANULE_16K, GRANULE_64K } };

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (options.sizes_count == 0) {
		/* The matrix of the series begins at 40 bits. */
		unsigned skip = options.matrix ? 2 : 0;

		options.sizes_count = 7 - skip;
		memcpy(options.sizes, table_sizes + skip, options.sizes_count * sizeof(unsigned));
	}
	if (options.matrix)
		geometry_print_matrix(&options);
	else
		print_table(&options);
	return STATUS_OK;
}

const struct command cmd_geometry = {
	.name = "geometry",
	.summary = "stage-2 table shapes for every page size and IPA size",
	.run = run,
};
