/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>

#include "config/params.h"

int output_diag(const struct diag *diag)
{
	if (diag->status != STATUS_OK)
		fprintf(stderr, "%s: error: %s\n", diag->place[0] ? diag->place : "twostage",
			diag->text);
	return (int)diag->status;
}

int output_error(enum exit_status status, const char *format, ...)
{
	struct diag diag = DIAG_INIT;
	va_list args;

	va_start(args, format);
	diag_vset(&diag, status, format, args);
	va_end(args);
	return output_diag(&diag);
}

void output_salvaged(const struct diag *damage)
{
	if (damage->status)
		fprintf(stderr, "twostage: salvaged what is before this: %s\n", damage->text);
}

/* Bytes of the UTF-8 sequence at `s` (RFC 3629); 0: none begins here. */
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char lead_first, lead_last, next_first, next_last, length;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (s[0] < forms[i].lead_first || s[0] > forms[i].lead_last)
			continue;
		if (s[1] < forms[i].next_first || s[1] > forms[i].next_last)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		}
		return forms[i].length;
	}
	return 0;
}

void output_json_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', out);
	while (*s) {
		size_t length = utf8_length(s);

		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else if (length == 0)
			fputs("\xef\xbf\xbd", out);
		else
			fwrite(s, 1, length, out);
		s += length ? length : 1;
	}
	fputc('"', out);
}

void output_json_params(FILE *out, const struct config *config)
{
	char text[PARAM_TEXT_MAX];

	fputc('{', out);
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		fprintf(out, "%s\"%s\":", i ? "," : "", params[i].key);
		params_format(config, &params[i], text);
		if (params_is_number(&params[i]))
			fprintf(out, "%" PRIu64, params_number(config, &params[i]));
		else
			output_json_string(out, text);
	}
	fputc('}', out);
}

void output_json_stats(FILE *out, const struct stats *stats)
{
	fputc('{', out);
	for (size_t i = 0; i < STAT_COUNT; i++)
		fprintf(out, "%s\"%s\":%" PRIu64, i ? "," : "", stat_rows[i].name, stats->v[i]);
	fputc('}', out);
}

/* 12345678 as "12,345,678". */
static const char *grouped(uint64_t number, char text[32])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	size_t used = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			text[used++] = ',';
		text[used++] = digits[i];
	}
	text[used] = '\0';
	return text;
}

/* A row of the statistics table opens each section. */
static const char *section_title(size_t row)
{
	switch (row) {
	case STAT_accesses:
		return "Accesses";
	case STAT_l1i_tlb_hits:
		return "TLBs";
	case STAT_walks:
		return "Walks";
	case STAT_walk_cycles:
		return "Cycles";
	case STAT_l1i_splintered:
		return "Entries";
	case STAT_s1_faults:
		return "Faults";
	case STAT_software_cycles:
		return "Software";
	case STAT_before_lookups:
		return "Dirty logging";
	case STAT_table_pages_s1:
		return "Tables";
	case STAT_s1_mapped_4k:
		return "Leaves mapped at the end";
	default:
		return NULL;
	}
}

static void output_ratio(FILE *out, const char *name, uint64_t scale, uint64_t part, uint64_t whole)
{
	if (whole)
		fprintf(out, "  %-34s %18.3f\n", name,
			(double)scale * (double)part / (double)whole);
}

static void output_derived(FILE *out, const struct stats *stats)
{
	const uint64_t *v = stats->v;

	fprintf(out, "Derived\n");
	output_ratio(out, "L1 TLB misses per 1000 accesses", 1000,
		     v[STAT_l1i_tlb_misses] + v[STAT_l1d_tlb_misses], v[STAT_accesses]);
	output_ratio(out, "L2 TLB misses per 1000 accesses", 1000, v[STAT_l2_tlb_misses],
		     v[STAT_accesses]);
	output_ratio(out, "walks per 1000 instructions", 1000, v[STAT_walks], v[STAT_instructions]);
	output_ratio(out, "descriptor reads per walk", 1, v[STAT_walk_reads], v[STAT_walks]);
	output_ratio(out, "cycles per walk", 1, v[STAT_walk_cycles], v[STAT_walks]);
	output_ratio(out, "translation cycles per access", 1, v[STAT_translation_cycles],
		     v[STAT_accesses]);
}

void output_stats(FILE *out, const struct stats *stats)
{
	const char *title = NULL;
	char text[32];

	for (size_t i = 0; i < STAT_COUNT; i++) {
		if (section_title(i))
			title = section_title(i);
		if (stats->v[i] == 0)
			continue;
		if (title)
			fprintf(out, "%s\n", title);
		title = NULL;
		fprintf(out, "  %-26s %26s %s\n", stat_rows[i].name, grouped(stats->v[i], text),
			stat_rows[i].unit);
	}
	output_derived(out, stats);
}

const char *output_size(uint64_t bytes, char text[16])
{
	static const char units[] = "BKMGTPE";
	unsigned unit = 0;

	while (bytes >= 1024 && units[unit + 1]) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, 16, "%" PRIu64 "%c", bytes, units[unit]);
	return text;
}

struct output_count output_count(uint64_t n, const char *one, const char *many)
{
	struct output_count count;

	snprintf(count.text, sizeof(count.text), "%" PRIu64 " %s", n, n == 1 ? one : many);
	return count;
}
