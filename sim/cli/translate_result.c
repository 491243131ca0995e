/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/translate_result.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	unsigned tag;
} tags[] = {
	{ "contig_gt_input", TAG_CONTIG_GT_INPUT },
	{ "txsz_impdef", TAG_TXSZ_IMPDEF },
	{ "ifetch_device", TAG_IFETCH_DEVICE },
};

const char *translate_parse_hex(const char *text, uint64_t *value)
{
	unsigned digits = 0;
	uint64_t v = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	for (;; text++, digits++) {
		unsigned digit;

		if (*text >= '0' && *text <= '9')
			digit = (unsigned)(*text - '0');
		else if (*text >= 'a' && *text <= 'f')
			digit = (unsigned)(*text - 'a' + 10);
		else if (*text >= 'A' && *text <= 'F')
			digit = (unsigned)(*text - 'A' + 10);
		else
			break;
		if (v >> 60)
			return NULL;
		v = v << 4 | digit;
	}
	*value = v;
	return digits > 0 ? text : NULL;
}

/* "name=HEX,..." of an abort, in the order of `names`. */
static bool parse_fields(const char *text, const char *const *names, uint64_t *values)
{
	for (unsigned i = 0; names[i]; i++) {
		size_t length = strlen(names[i]);

		if (i > 0 && *text++ != ',')
			return false;
		if (strncmp(text, names[i], length) != 0 || text[length] != '=')
			return false;
		text = translate_parse_hex(text + length + 1, &values[i]);
		if (!text)
			return false;
	}
	return *text == '\0';
}

static bool parse_abort(const char *text, const char *const *names, uint64_t *values,
			enum translate_result_kind kind, struct translate_result *result)
{
	if (!parse_fields(text, names, values) || values[0] > 0x3f)
		return false;
	result->kind = kind;
	result->fsc = (uint8_t)values[0];
	return true;
}

static bool parse_result(const char *text, struct translate_result *result)
{
	static const char *const at_names[] = { "fsc", "s1ptw", NULL };
	static const char *const el1_names[] = { "fsc", "wnr", "far", NULL };
	static const char *const el2_names[] = { "fsc", "s1ptw", "wnr", "far", "hpfar", NULL };
	uint64_t v[5] = { 0 };
	const char *end;

	if (strncmp(text, "par:", 4) == 0) {
		result->kind = RESULT_PAR;
		end = translate_parse_hex(text + 4, &result->value);
		return end && !*end;
	}
	if (strncmp(text, "done", 4) == 0 && (text[4] == '\0' || text[4] == ':')) {
		result->kind = RESULT_DONE;
		result->has_data = text[4] == ':';
		end = result->has_data ? translate_parse_hex(text + 5, &result->value) : text + 4;
		return end && !*end;
	}
	if (strncmp(text, "atabort:", 8) == 0) {
		if (!parse_abort(text + 8, at_names, v, RESULT_AT_ABORT, result))
			return false;
		result->s1ptw = v[1] != 0;
		return true;
	}
	if (strncmp(text, "el1abort:", 9) == 0) {
		if (!parse_abort(text + 9, el1_names, v, RESULT_EL1_ABORT, result))
			return false;
		result->wnr = v[1] != 0;
		result->far = v[2];
		return true;
	}
	if (strncmp(text, "el2abort:", 9) != 0 ||
	    !parse_abort(text + 9, el2_names, v, RESULT_EL2_ABORT, result))
		return false;
	result->s1ptw = v[1] != 0;
	result->wnr = v[2] != 0;
	result->far = v[3];
	result->hpfar = v[4];
	return true;
}

/* "PA:VALUE"; empty, "-" and "none" mean no change. */
static const char *parse_change(const char *text, struct translate_result *result)
{
	struct translate_change *change = &result->changes[result->changes_count];
	const char *p;

	if (*text == '\0' || strcmp(text, "-") == 0 || strcmp(text, "none") == 0)
		return NULL;
	if (result->changes_count == TRANSLATE_MAX_CHANGES)
		return "expected fewer chg=";
	p = translate_parse_hex(text, &change->pa);
	if (!p || *p != ':')
		return "expected chg=ADDRESS:WORD";
	p = translate_parse_hex(p + 1, &change->value);
	if (!p || *p)
		return "expected chg=ADDRESS:WORD";
	result->changes_count++;
	return NULL;
}

static const char *parse_tags(char *text, unsigned *found)
{
	char *save = NULL;

	for (char *name = strtok_r(text, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
			if (strcmp(tags[i].name, name) == 0)
				*found |= tags[i].tag;
		}
	}
	return NULL;
}

/* What the words of an answer said, before it is settled which of them count. */
struct answer {
	struct translate_result plain, arch;
	bool has_arch, has_arch_changes;
};

static const char *parse_answer_word(char *word, struct answer *answer, unsigned *tag_mask)
{
	char *value = strchr(word, '=');

	*value++ = '\0';
	if (strcmp(word, "chg") == 0)
		return parse_change(value, &answer->plain);
	if (strcmp(word, "archchg") == 0) {
		answer->has_arch_changes = true;
		return parse_change(value, &answer->arch);
	}
	if (strcmp(word, "arch") == 0) {
		answer->has_arch = true;
		return parse_result(value, &answer->arch) ? NULL : "expected a result after arch=";
	}
	if (strcmp(word, "tags") == 0)
		return parse_tags(value, tag_mask);
	/* Where an answer came from, and what other versions said. */
	if (strcmp(word, "src") == 0 || strcmp(word, "q72") == 0 || strcmp(word, "q72chg") == 0)
		return NULL;
	return "unknown key; expected chg=, arch=, archchg=, tags=, src=, q72= or q72chg=";
}

const char *translate_parse_answer(char *text, struct translate_query *query)
{
	struct answer answer = { 0 };
	char *save = NULL;
	char *word = strtok_r(text, " \t", &save);
	struct translate_result *expected = &query->expected;

	if (word && !strncmp(word, "src=", 4)) {
		/* no result, as in a query to be answered */
	} else if (word) {
		if (!parse_result(word, &answer.plain))
			return "expected par:, atabort:, done, el1abort: or el2abort: with all "
			       "fields";
		word = strtok_r(NULL, " \t", &save);
	}
	for (; word; word = strtok_r(NULL, " \t", &save)) {
		const char *problem;

		if (!strchr(word, '='))
			return "expected KEY=VALUE after the result";
		problem = parse_answer_word(word, &answer, &query->tags);
		if (problem)
			return problem;
	}
	*expected = answer.plain;
	if (answer.has_arch) {
		*expected = answer.arch;
		if (!answer.has_arch_changes) {
			expected->changes_count = answer.plain.changes_count;
			memcpy(expected->changes, answer.plain.changes,
			       sizeof(answer.plain.changes));
			query->no_changes_too = true;
		}
	} else if (answer.has_arch_changes) {
		expected->changes_count = answer.arch.changes_count;
		memcpy(expected->changes, answer.arch.changes, sizeof(answer.arch.changes));
	}
	return NULL;
}

void translate_print_result(FILE *out, const struct translate_result *r)
{
	switch (r->kind) {
	case RESULT_NONE:
		break;
	case RESULT_PAR:
		fprintf(out, "par:%" PRIx64, r->value);
		break;
	case RESULT_AT_ABORT:
		fprintf(out, "atabort:fsc=%02x,s1ptw=%d", r->fsc, r->s1ptw);
		break;
	case RESULT_DONE:
		fputs("done", out);
		if (r->has_data)
			fprintf(out, ":%" PRIx64, r->value);
		break;
	case RESULT_EL1_ABORT:
		fprintf(out, "el1abort:fsc=%02x,wnr=%d,far=%" PRIx64, r->fsc, r->wnr, r->far);
		break;
	case RESULT_EL2_ABORT:
		fprintf(out, "el2abort:fsc=%02x,s1ptw=%d,wnr=%d,far=%" PRIx64 ",hpfar=%" PRIx64,
			r->fsc, r->s1ptw, r->wnr, r->far, r->hpfar);
		break;
	}
	for (unsigned i = 0; i < r->changes_count; i++)
		fprintf(out, " chg=%" PRIx64 ":%" PRIx64, r->changes[i].pa, r->changes[i].value);
}

/* The same set of changes; no address is twice in either. */
static bool same_changes(const struct translate_result *a, const struct translate_result *b)
{
	if (a->changes_count != b->changes_count)
		return false;
	for (unsigned i = 0; i < a->changes_count; i++) {
		unsigned j = 0;

		while (j < b->changes_count && (a->changes[i].pa != b->changes[j].pa ||
						a->changes[i].value != b->changes[j].value))
			j++;
		if (j == b->changes_count)
			return false;
	}
	return true;
}

static enum translate_match compare_par(uint64_t ours, uint64_t expected)
{
	const uint64_t fault_bits = 0x37f; /* F, FST, PTW, S */
	uint64_t address = low_mask(52) & ~low_mask(12);
	uint64_t attributes = UINT64_C(0xff) << 56 | 3 << 7;

	if ((ours ^ expected) & 1)
		return MATCH_NO;
	if (ours & 1)
		return (ours ^ expected) & fault_bits ? MATCH_NO : MATCH_YES;
	if ((ours ^ expected) & address)
		return MATCH_NO;
	return (ours ^ expected) & attributes ? MATCH_ATTRIBUTES_DIFFER : MATCH_YES;
}

enum translate_match translate_compare(const struct translate_query *query,
				       const struct translate_result *ours)
{
	const struct translate_result *e = &query->expected;

	if (ours->kind != e->kind)
		return MATCH_NO;
	if (!same_changes(ours, e) && !(query->no_changes_too && ours->changes_count == 0))
		return MATCH_NO;
	switch (e->kind) {
	case RESULT_NONE:
		break;
	case RESULT_PAR:
		return compare_par(ours->value, e->value);
	case RESULT_DONE:
		if (e->has_data && ours->value != e->value)
			return MATCH_NO;
		break;
	case RESULT_AT_ABORT:
	case RESULT_EL1_ABORT:
	case RESULT_EL2_ABORT:
		if (ours->fsc != e->fsc || ours->s1ptw != e->s1ptw || ours->wnr != e->wnr ||
		    ours->far != e->far)
			return MATCH_NO;
		if (ours->hpfar_known && ours->hpfar != e->hpfar)
			return MATCH_NO;
		break;
	}
	return MATCH_YES;
}
