/* SPDX-License-Identifier: BSD-2-Clause */
/* Translation cases as text (docs/translation.md): reading, results, comparing, printing. */
#ifndef TWOSTAGE_CLI_TRANSLATE_TEXT_H
#define TWOSTAGE_CLI_TRANSLATE_TEXT_H

#include <stdio.h>

#include "arch/cpu.h"
#include "arch/regs.h"
#include "base/diag.h"
#include "cli/line_reader.h"
#include "mmu/walk.h"

#define TRANSLATE_NAME_BYTES  256
#define TRANSLATE_MAX_CHANGES 32

enum translate_op_kind { TRANSLATE_AT, TRANSLATE_REAL };

struct translate_op {
	const char *name;
	enum translate_op_kind op;
	enum access_kind kind;
	uint8_t el;
	bool stage1_only;
};

struct translate_change {
	uint64_t pa, value;
};

enum translate_result_kind {
	RESULT_NONE,
	RESULT_PAR,
	RESULT_AT_ABORT,
	RESULT_DONE,
	RESULT_EL1_ABORT,
	RESULT_EL2_ABORT,
};

struct translate_result {
	enum translate_result_kind kind;
	uint64_t value; /* PAR_EL1, or the data loaded */
	bool has_data;	/* RESULT_DONE of a load */
	bool s1ptw, wnr;
	bool hpfar_known; /* false: architecturally UNKNOWN */
	uint8_t fsc;
	uint64_t far, hpfar;
	unsigned changes_count;
	struct translate_change changes[TRANSLATE_MAX_CHANGES];
};

/* What is IMPLEMENTATION DEFINED about a query: either answer is right. */
enum translate_tag {
	TAG_CONTIG_GT_INPUT = 1,
	TAG_TXSZ_IMPDEF = 2,
	TAG_IFETCH_DEVICE = 4,
	TAGS_COUNT = 3,
};

struct translate_query {
	const struct translate_op *op;
	uint64_t va;
	struct translate_result expected; /* RESULT_NONE: none given */
	bool no_changes_too; /* an arch= answer without archchg=: no change is right as well */
	unsigned tags;
};

enum translate_item_kind {
	ITEM_EOF,
	ITEM_CORPUS,
	ITEM_CASE,
	ITEM_REGS,
	ITEM_MEM,
	ITEM_QUERY,
	ITEM_END,
};

/* One line that means something. Which members are set depends on kind. */
struct translate_item {
	enum translate_item_kind kind;
	char name[TRANSLATE_NAME_BYTES]; /* ITEM_CASE */
	struct arch_id id;		 /* ITEM_CORPUS */
	bool has_id, has_ext;
	uint64_t ext_first, ext_end;
	struct mmu_regs regs;	      /* ITEM_REGS */
	struct translate_change word; /* ITEM_MEM */
	struct translate_query query; /* ITEM_QUERY */
};

struct translate_reader {
	struct line_reader line;
	bool in_case, has_regs;
};

/* Opens `path`, "-" for standard input. Close with translate_close(), also after a failure. */
enum exit_status translate_open(struct translate_reader *reader, const char *path,
				struct diag *diag);
void translate_close(struct translate_reader *reader);

/* The next item; checks that cases are complete and well formed. */
enum exit_status translate_next(struct translate_reader *reader, struct translate_item *item,
				struct diag *diag);

/* "par:..." and the rest, with " chg=" for each change. */
void translate_print_result(FILE *out, const struct translate_result *result);

enum translate_match { MATCH_NO, MATCH_ATTRIBUTES_DIFFER, MATCH_YES };

/*
 * Compares as docs/translation.md says: UNKNOWN bits and fields masked; attributes of a success
 * (ATTR, SH) are a second tier, reported apart.
 */
enum translate_match translate_compare(const struct translate_query *query,
				       const struct translate_result *ours);

#endif
