/* SPDX-License-Identifier: BSD-2-Clause */
#include "notation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	struct naive_access access;
} ops[] = {
	{ "S12E1R", { 0, NAIVE_LOAD, 1, true, false } },
	{ "S12E1W", { 0, NAIVE_STORE, 1, true, false } },
	{ "S12E0R", { 0, NAIVE_LOAD, 0, true, false } },
	{ "S12E0W", { 0, NAIVE_STORE, 0, true, false } },
	{ "S1E1R", { 0, NAIVE_LOAD, 1, true, true } },
	{ "S1E1W", { 0, NAIVE_STORE, 1, true, true } },
	{ "S1E0R", { 0, NAIVE_LOAD, 0, true, true } },
	{ "S1E0W", { 0, NAIVE_STORE, 0, true, true } },
	{ "LDR", { 0, NAIVE_LOAD, 1, false, false } },
	{ "STR", { 0, NAIVE_STORE, 1, false, false } },
	{ "LDTR", { 0, NAIVE_LOAD, 0, false, false } },
	{ "STTR", { 0, NAIVE_STORE, 0, false, false } },
	{ "IFETCH1", { 0, NAIVE_FETCH, 1, false, false } },
	{ "IFETCH0", { 0, NAIVE_FETCH, 0, false, false } },
};

enum { OPS = sizeof(ops) / sizeof(ops[0]) };

bool notation_parse_op(const char *op, struct naive_access *a)
{
	for (int i = 0; i < OPS; i++)
		if (strcmp(op, ops[i].name) == 0) {
			*a = ops[i].access;
			return true;
		}
	return false;
}

const char *notation_op(const struct naive_access *a)
{
	for (int i = 0; i < OPS; i++)
		if (ops[i].access.kind == a->kind && ops[i].access.el == a->el &&
		    ops[i].access.at == a->at && ops[i].access.stage1_only == a->stage1_only)
			return ops[i].name;
	return "?";
}

static void format_abort(const struct naive_access *a, const struct naive_result *r,
			 char out[NOTATION_MAX])
{
	unsigned fsc = r->fault == NAIVE_OK ? 0x10 : naive_fsc(r->fault, r->level);
	int wnr = a->kind == NAIVE_STORE;

	if (r->fault == NAIVE_OK || r->stage == 1) {
		snprintf(out, NOTATION_MAX, "el1abort:fsc=%02x,wnr=%d,far=%" PRIx64, fsc, wnr,
			 r->far);
		return;
	}
	snprintf(out, NOTATION_MAX,
		 "el2abort:fsc=%02x,s1ptw=%d,wnr=%d,far=%" PRIx64 ",hpfar=%" PRIx64, fsc, r->s1ptw,
		 wnr, r->far, (r->ipa & UINT64_C(0xffffffffff000)) >> 12 << 4);
}

void notation_result(const struct naive_access *a, const struct naive_result *r,
		     const struct words *memory, char out[NOTATION_MAX])
{
	if (a->at && r->fault == NAIVE_WALK_ABORT)
		snprintf(out, NOTATION_MAX, "atabort:fsc=%02x,s1ptw=%d",
			 naive_fsc(r->fault, r->level), r->s1ptw);
	else if (a->at)
		snprintf(out, NOTATION_MAX, "par:%" PRIx64, naive_par(r));
	else if (r->fault != NAIVE_OK || words_aborts(memory, r->pa))
		format_abort(a, r, out);
	else if (a->kind == NAIVE_LOAD)
		snprintf(out, NOTATION_MAX, "done:%" PRIx64,
			 words_read(memory, r->pa & ~UINT64_C(7)));
	else
		snprintf(out, NOTATION_MAX, "done");
}

static uint64_t value_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

/* Is HPFAR architecturally UNKNOWN for this result? */
static bool hpfar_unknown(const char *result)
{
	unsigned fsc = (unsigned)value_of(result, "fsc=");

	return !value_of(result, "s1ptw=") &&
	       ((fsc & 0x3c) == 0xc || (fsc & 0x3c) == 0x14 || fsc == 0x13);
}

static enum notation_match compare_par(uint64_t ours, uint64_t theirs)
{
	const uint64_t address = UINT64_C(0xffffffffff001);
	uint64_t differ = (ours ^ theirs) & ~UINT64_C(0xc00);

	if (ours & 1)
		return differ ? NOTATION_DIFFERENT : NOTATION_SAME;
	if (differ & address)
		return NOTATION_DIFFERENT;
	return differ & ~UINT64_C(0x200) ? NOTATION_ATTRIBUTES_DIFFER : NOTATION_SAME;
}

enum notation_match notation_compare(const char *ours, const char *theirs)
{
	const char *hpfar = strstr(ours, ",hpfar=");

	if (strncmp(ours, "par:", 4) == 0 && strncmp(theirs, "par:", 4) == 0)
		return compare_par(strtoull(ours + 4, NULL, 16), strtoull(theirs + 4, NULL, 16));
	if (hpfar && hpfar_unknown(ours))
		return strncmp(ours, theirs, (size_t)(hpfar - ours)) == 0 ? NOTATION_SAME
									  : NOTATION_DIFFERENT;
	return strcmp(ours, theirs) == 0 ? NOTATION_SAME : NOTATION_DIFFERENT;
}
