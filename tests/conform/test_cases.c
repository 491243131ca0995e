/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cases [FILE...]: runs the naive reference translator over translation cases in their text
 * format (tests/conform/cases/ when no file is named) and compares. Prints each mismatch and
 * `N passed, N failed`.
 *
 * test_cases --generate FIRST COUNT: prints COUNT random cases in that format, with the naive
 * translator's answers.
 */
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"
#include "naive.h"
#include "notation.h"
#include "words.h"

struct state {
	struct naive_cpu cpu;
	struct naive_regs regs;
	struct words initial, now;
	char name[128];
	unsigned long passed, failed, attributes;
};

static struct state st;

static uint64_t value_of(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

static void read_header(const char *line)
{
	const char *ext = strstr(line, " ext="), *name = strstr(line, "cpu=");
	const struct gen_pe *pe = name ? gen_pe_find(name + 4) : NULL;
	char *end;

	st.cpu = (struct naive_cpu){ .mmfr0 = value_of(line, "ID_AA64MMFR0_EL1="),
				     .mmfr1 = value_of(line, "ID_AA64MMFR1_EL1="),
				     .mmfr2 = value_of(line, "ID_AA64MMFR2_EL1="),
				     .pauth = pe && pe->pauth };
	st.initial.abort_first = st.initial.abort_end = 0;
	if (ext) {
		st.initial.abort_first = strtoull(ext + 5, &end, 16);
		st.initial.abort_end = strtoull(end + 1, NULL, 16);
	}
}

static void read_regs(const char *line)
{
	st.regs = (struct naive_regs){
		.tcr_el1 = value_of(line, " TCR_EL1="),
		.ttbr0_el1 = value_of(line, " TTBR0_EL1="),
		.ttbr1_el1 = value_of(line, " TTBR1_EL1="),
		.mair_el1 = value_of(line, " MAIR_EL1="),
		.sctlr_el1 = value_of(line, " SCTLR_EL1="),
		.hcr_el2 = value_of(line, " HCR_EL2="),
		.vtcr_el2 = value_of(line, " VTCR_EL2="),
		.vttbr_el2 = value_of(line, " VTTBR_EL2="),
	};
}

/* Words that differ from the initial memory, in order of address as the format wants them. */
static bool same_changes(const char *query)
{
	uint32_t expected = 0, changed = 0;
	const char *p = query;

	while ((p = strstr(p, " chg=")) != NULL) {
		char *end;
		uint64_t pa = strtoull(p + 5, &end, 16);

		expected++;
		if (words_read(&st.now, pa) != strtoull(end + 1, NULL, 16))
			return false;
		p = end;
	}
	for (uint32_t i = 0; i < st.now.count; i++)
		changed += st.now.value[i] != words_read(&st.initial, st.now.pa[i]);
	return changed == expected;
}

static bool run_query(const char *line)
{
	struct naive_memory memory = { &st.now, words_read_cb, words_write_cb, words_aborts_cb };
	struct naive_access access;
	struct naive_result result;
	char op[16], expected[NOTATION_MAX], ours[NOTATION_MAX];
	enum notation_match match;
	uint64_t va;

	if (sscanf(line, "q %15s %" SCNx64 " %255s", op, &va, expected) != 3 ||
	    !notation_parse_op(op, &access))
		return false;
	access.va = va;
	st.now = st.initial;
	naive_translate(&st.cpu, &st.regs, &memory, &access, &result);
	if (result.fault == NAIVE_OK && !access.at && access.kind == NAIVE_STORE &&
	    !words_aborts(&st.now, result.pa))
		words_write(&st.now, result.pa & ~UINT64_C(7), UINT64_C(0x5a5aa5a5c3c33c3c));
	notation_result(&access, &result, &st.now, ours);
	match = notation_compare(ours, expected);
	st.attributes += match == NOTATION_ATTRIBUTES_DIFFER;
	if (match != NOTATION_DIFFERENT && same_changes(line)) {
		st.passed++;
	} else {
		st.failed++;
		printf("%s: %.*s  ours: %s\n", st.name, (int)strcspn(line, "\n"), line, ours);
		for (uint32_t i = 0; i < st.now.count; i++)
			if (st.now.value[i] != words_read(&st.initial, st.now.pa[i]))
				printf("  our chg=%" PRIx64 ":%" PRIx64 "\n", st.now.pa[i],
				       st.now.value[i]);
	}
	return true;
}

static bool run_line(const char *line)
{
	uint64_t pa, value;

	if (strncmp(line, "# corpus", 8) == 0)
		read_header(line);
	else if (strncmp(line, "regs ", 5) == 0)
		read_regs(line);
	else if (strncmp(line, "q ", 2) == 0)
		return run_query(line);
	else if (sscanf(line, "case %127s", st.name) == 1)
		words_clear(&st.initial);
	else if (sscanf(line, "mem %" SCNx64 " %" SCNx64, &pa, &value) == 2)
		words_write(&st.initial, pa, value);
	else
		return strchr("#e\n", line[0]) != NULL;
	return true;
}

static int check_file(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned long number = 0;
	char *line = NULL;
	size_t size = 0;
	int status = 0;

	if (!f) {
		perror(path);
		return 66;
	}
	while (status == 0 && getline(&line, &size, f) != -1) {
		number++;
		if (!run_line(line)) {
			fprintf(stderr, "%s:%lu: not a line of a case\n", path, number);
			status = 65;
		}
	}
	free(line);
	fclose(f);
	return status;
}

/* ---- generation ---------------------------------------------------------------------------- */

enum { QUERIES = 6 };

static struct gen_case gen;

/* Words that differ between st.now (after) and st.initial, then back to st.initial. */
static void append_changes(char *out, size_t size)
{
	for (uint32_t i = 0; i < st.now.count; i++) {
		uint64_t pa = st.now.pa[i];
		size_t used = strlen(out);

		if (st.now.value[i] != words_read(&st.initial, pa))
			snprintf(out + used, size - used, " chg=%" PRIx64 ":%" PRIx64, pa,
				 st.now.value[i]);
	}
}

static void write_now(void *ctx, uint64_t pa, uint64_t value)
{
	(void)ctx;
	words_write(&st.now, pa, value);
}

/* Reads see this query's writes; words not yet known are invented for all queries. */
static uint64_t read_now(void *ctx, uint64_t pa)
{
	if (words_known(&st.now, pa))
		return words_read(&st.now, pa);
	return gen.memory.read(ctx, pa);
}

static void generate_query(char *out, size_t size)
{
	struct naive_memory memory = gen.memory;
	struct naive_access a = gen_access(&gen);
	struct naive_result r;
	char result[NOTATION_MAX];

	gen.regs.pan = false;
	memory.read = read_now;
	memory.write = write_now;
	words_clear(&st.now);
	gen.running = &r;
	naive_translate(&gen.cpu, &gen.regs, &memory, &a, &r);
	gen.running = NULL;
	if (r.fault == NAIVE_OK && !a.at && a.kind == NAIVE_STORE)
		words_write(&st.now, r.pa & ~UINT64_C(7), UINT64_C(0x5a5aa5a5c3c33c3c));
	if (r.fault == NAIVE_OK && !a.at && a.kind == NAIVE_LOAD)
		words_write(&st.now, r.pa & ~UINT64_C(7), read_now(&gen, r.pa & ~UINT64_C(7)));
	notation_result(&a, &r, &st.now, result);
	st.initial = gen.words;
	snprintf(out, size, "q %s %" PRIx64 " %s src=naive", notation_op(&a), a.va, result);
	append_changes(out, size);
}

static void generate_case(uint64_t seed)
{
	static const char *const kinds[] = { "s1", "s2", "s12", "badcfg" };
	static char query[QUERIES][400];
	const struct gen_pe *pe = &gen_pes[seed % GEN_PES];
	enum gen_kind kind = (enum gen_kind)(seed / GEN_PES % GEN_EL20);

	gen_case(&gen, seed, pe, kind);
	for (int i = 0; i < QUERIES; i++)
		generate_query(query[i], sizeof(query[i]));
	printf("# corpus cpu=%s category=%s seed=%" PRIu64 " cases=1 ID_AA64MMFR0_EL1=0x%" PRIx64
	       " ID_AA64MMFR1_EL1=0x%" PRIx64 " ID_AA64MMFR2_EL1=0x%" PRIx64
	       " ram=0x0-0x10000000000000\n",
	       pe->name, kinds[kind], seed, pe->mmfr0, pe->mmfr1, pe->mmfr2);
	printf("case %s/%s/%" PRIu64 "\n", pe->name, kinds[kind], seed);
	printf("regs TCR_EL1=0x%" PRIx64 " TTBR0_EL1=0x%" PRIx64 " TTBR1_EL1=0x%" PRIx64
	       " MAIR_EL1=0x%" PRIx64 " SCTLR_EL1=0x%" PRIx64 " HCR_EL2=0x%" PRIx64
	       " VTCR_EL2=0x%" PRIx64 " VTTBR_EL2=0x%" PRIx64 "\n",
	       gen.regs.tcr_el1, gen.regs.ttbr0_el1, gen.regs.ttbr1_el1, gen.regs.mair_el1,
	       gen.regs.sctlr_el1, gen.regs.hcr_el2, gen.regs.vtcr_el2, gen.regs.vttbr_el2);
	for (uint32_t i = 0; i < gen.words.count; i++)
		printf("mem %" PRIx64 " %" PRIx64 "\n", gen.words.pa[i], gen.words.value[i]);
	for (int i = 0; i < QUERIES; i++)
		puts(query[i]);
	puts("end");
}

static int check_all(void)
{
	glob_t found;
	int status = 0;

	if (glob("tests/conform/cases/*.txt", 0, NULL, &found) != 0) {
		fprintf(stderr, "tests/conform/cases: no case file\n");
		return 66;
	}
	for (size_t i = 0; i < found.gl_pathc && status == 0; i++)
		status = check_file(found.gl_pathv[i]);
	globfree(&found);
	return status;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (argc == 4 && strcmp(argv[1], "--generate") == 0) {
		uint64_t first = strtoull(argv[2], NULL, 0), count = strtoull(argv[3], NULL, 0);

		for (uint64_t i = 0; i < count; i++)
			generate_case(first + i);
		return fflush(stdout) == 0 ? 0 : 74;
	}
	if (argc == 1)
		status = check_all();
	for (int i = 1; i < argc && status == 0; i++)
		status = check_file(argv[i]);
	if (status)
		return status;
	if (st.attributes)
		printf("%lu with other attributes or shareability\n", st.attributes);
	printf("%lu passed, %lu failed\n", st.passed, st.failed);
	return st.failed || !st.passed;
}
