/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/translate_text.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/translate_result.h"

static const struct translate_op ops[] = {
	{ "S12E1R", TRANSLATE_AT, ACCESS_LOAD, 1, false },
	{ "S12E1W", TRANSLATE_AT, ACCESS_STORE, 1, false },
	{ "S12E0R", TRANSLATE_AT, ACCESS_LOAD, 0, false },
	{ "S12E0W", TRANSLATE_AT, ACCESS_STORE, 0, false },
	{ "S1E1R", TRANSLATE_AT, ACCESS_LOAD, 1, true },
	{ "S1E1W", TRANSLATE_AT, ACCESS_STORE, 1, true },
	{ "S1E0R", TRANSLATE_AT, ACCESS_LOAD, 0, true },
	{ "S1E0W", TRANSLATE_AT, ACCESS_STORE, 0, true },
	{ "LDR", TRANSLATE_REAL, ACCESS_LOAD, 1, false },
	{ "STR", TRANSLATE_REAL, ACCESS_STORE, 1, false },
	{ "LDTR", TRANSLATE_REAL, ACCESS_LOAD, 0, false },
	{ "STTR", TRANSLATE_REAL, ACCESS_STORE, 0, false },
	{ "IFETCH1", TRANSLATE_REAL, ACCESS_FETCH, 1, false },
	{ "IFETCH0", TRANSLATE_REAL, ACCESS_FETCH, 0, false },
};

#define OPS (sizeof(ops) / sizeof(ops[0]))

static const struct {
	const char *name;
	size_t offset;
} registers[] = {
	{ "SCTLR_EL1", offsetof(struct mmu_regs, sctlr_el1) },
	{ "TCR_EL1", offsetof(struct mmu_regs, tcr_el1) },
	{ "TTBR0_EL1", offsetof(struct mmu_regs, ttbr0_el1) },
	{ "TTBR1_EL1", offsetof(struct mmu_regs, ttbr1_el1) },
	{ "MAIR_EL1", offsetof(struct mmu_regs, mair_el1) },
	{ "HCR_EL2", offsetof(struct mmu_regs, hcr_el2) },
	{ "VTCR_EL2", offsetof(struct mmu_regs, vtcr_el2) },
	{ "VTTBR_EL2", offsetof(struct mmu_regs, vttbr_el2) },
	{ "SCTLR_EL2", offsetof(struct mmu_regs, sctlr_el2) },
};

#define REGISTERS (sizeof(registers) / sizeof(registers[0]))

enum exit_status translate_open(struct translate_reader *reader, const char *path,
				struct diag *diag)
{
	*reader = (struct translate_reader){ 0 };
	return line_open(&reader->line, path, diag);
}

void translate_close(struct translate_reader *reader)
{
	line_close(&reader->line);
}

/* The next word of the line, or NULL; *rest moves on. */
static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t");
	size_t length = strcspn(word, " \t");

	if (length == 0)
		return NULL;
	*rest = word + length;
	if (**rest)
		*(*rest)++ = '\0';
	return word;
}

static enum exit_status parse_number(struct translate_reader *reader, const char *what,
				     const char *text, uint64_t *value, struct diag *diag)
{
	const char *end = text ? translate_parse_hex(text, value) : NULL;

	if (!end || *end)
		return line_bad(&reader->line, diag,
				"%s: expected a hexadecimal number of at most 64 bits%s%s%s", what,
				text ? ", not '" : "", text ? text : "", text ? "'" : "");
	return STATUS_OK;
}

/* "FIRST-END" of ram= and ext=. */
static enum exit_status parse_range(struct translate_reader *reader, const char *what,
				    const char *text, uint64_t *first, uint64_t *end,
				    struct diag *diag)
{
	const char *p = translate_parse_hex(text, first);

	if (p && *p == '-')
		p = translate_parse_hex(p + 1, end);
	else
		p = NULL;
	if (!p || *p || *first >= *end)
		return line_bad(&reader->line, diag,
				"%s: expected FIRST-END in hexadecimal, not '%s'", what, text);
	return STATUS_OK;
}

/* "# corpus": cpu, memory map, ID registers; keys that only describe the file are passed over. */
static enum exit_status parse_corpus(struct translate_reader *reader, char *rest,
				     struct translate_item *item, struct diag *diag)
{
	enum exit_status status = STATUS_OK;
	uint64_t first, end;
	char *word;

	item->kind = ITEM_CORPUS;
	while (status == STATUS_OK && (word = next_word(&rest)) != NULL) {
		char *value = strchr(word, '=');

		if (!value)
			return line_bad(&reader->line, diag, "corpus: expected KEY=VALUE, not '%s'",
					word);
		*value++ = '\0';
		if (strcmp(word, "ID_AA64MMFR0_EL1") == 0) {
			item->has_id = true;
			status = parse_number(reader, word, value, &item->id.mmfr0, diag);
		} else if (strcmp(word, "ID_AA64MMFR1_EL1") == 0) {
			status = parse_number(reader, word, value, &item->id.mmfr1, diag);
		} else if (strcmp(word, "ID_AA64MMFR2_EL1") == 0) {
			status = parse_number(reader, word, value, &item->id.mmfr2, diag);
		} else if (strcmp(word, "ram") == 0) {
			status = parse_range(reader, word, value, &first, &end, diag);
		} else if (strcmp(word, "ext") == 0) {
			item->has_ext = true;
			status = parse_range(reader, word, value, &item->ext_first, &item->ext_end,
					     diag);
		}
	}
	if (status == STATUS_OK && !item->has_id)
		return line_bad(&reader->line, diag, "corpus: expected ID_AA64MMFR0_EL1=VALUE");
	return status;
}

static enum exit_status parse_regs(struct translate_reader *reader, char *rest,
				   struct translate_item *item, struct diag *diag)
{
	char *word;

	item->kind = ITEM_REGS;
	item->regs = (struct mmu_regs){ 0 };
	reader->has_regs = true;
	while ((word = next_word(&rest)) != NULL) {
		char *value = strchr(word, '=');
		struct suggest search;
		uint64_t number;
		size_t i;

		if (!value)
			return line_bad(&reader->line, diag,
					"regs: expected REGISTER=VALUE, not '%s'", word);
		*value++ = '\0';
		suggest_init(&search, word);
		for (i = 0; i < REGISTERS && strcmp(registers[i].name, word) != 0; i++)
			suggest_offer(&search, registers[i].name);
		if (i == REGISTERS)
			return line_bad(&reader->line, diag, "unknown register '%s'%s%s%s", word,
					search.best ? "; did you mean '" : "",
					search.best ? search.best : "", search.best ? "'?" : "");
		if (parse_number(reader, word, value, &number, diag) != STATUS_OK)
			return STATUS_BAD_INPUT;
		memcpy((char *)&item->regs + registers[i].offset, &number, sizeof(number));
	}
	return STATUS_OK;
}

static enum exit_status parse_mem(struct translate_reader *reader, char *rest,
				  struct translate_item *item, struct diag *diag)
{
	enum exit_status status;

	item->kind = ITEM_MEM;
	status = parse_number(reader, "mem address", next_word(&rest), &item->word.pa, diag);
	if (status == STATUS_OK)
		status =
			parse_number(reader, "mem word", next_word(&rest), &item->word.value, diag);
	if (status != STATUS_OK)
		return status;
	if (next_word(&rest))
		return line_bad(&reader->line, diag, "mem: expected one address and one word");
	if (item->word.pa & 7)
		return line_bad(&reader->line, diag,
				"mem: address %" PRIx64 " is not aligned to 8 bytes",
				item->word.pa);
	if (item->word.pa >> 52)
		return line_bad(&reader->line, diag,
				"mem: address %" PRIx64 " has more than 52 bits", item->word.pa);
	return STATUS_OK;
}

static const struct translate_op *find_op(const char *name, const char **near)
{
	struct suggest search;

	suggest_init(&search, name);
	for (size_t i = 0; i < OPS; i++) {
		if (strcmp(ops[i].name, name) == 0)
			return &ops[i];
		suggest_offer(&search, ops[i].name);
	}
	*near = search.best;
	return NULL;
}

static enum exit_status parse_query(struct translate_reader *reader, char *rest,
				    struct translate_item *item, struct diag *diag)
{
	struct translate_query *query = &item->query;
	const char *name = next_word(&rest), *near = NULL, *problem;
	uint64_t align;

	item->kind = ITEM_QUERY;
	*query = (struct translate_query){ 0 };
	if (!reader->has_regs)
		return line_bad(&reader->line, diag, "a query before the 'regs' line of its case");
	query->op = name ? find_op(name, &near) : NULL;
	if (!query->op)
		return line_bad(&reader->line, diag, "unknown operation '%s'%s%s%s",
				name ? name : "", near ? "; did you mean '" : "", near ? near : "",
				near ? "'?" : "");
	if (parse_number(reader, "q address", next_word(&rest), &query->va, diag) != STATUS_OK)
		return STATUS_BAD_INPUT;
	align = query->op->op == TRANSLATE_AT ? 1 : query->op->kind == ACCESS_FETCH ? 4 : 8;
	if (query->va & (align - 1))
		return line_bad(&reader->line, diag, "q: %s needs an address aligned to %u bytes",
				name, (unsigned)align);
	problem = translate_parse_answer(rest, query);
	if (problem)
		return line_bad(&reader->line, diag, "q: %s", problem);
	return STATUS_OK;
}

static enum exit_status parse_case(struct translate_reader *reader, char *rest,
				   struct translate_item *item, struct diag *diag)
{
	const char *name = next_word(&rest);

	item->kind = ITEM_CASE;
	if (reader->in_case)
		return line_bad(&reader->line, diag,
				"a new case; expected 'end' of the one before");
	if (!name || strlen(name) >= sizeof(item->name))
		return line_bad(&reader->line, diag, "case: expected a name of at most %zu bytes",
				sizeof(item->name) - 1);
	memcpy(item->name, name, strlen(name) + 1);
	reader->in_case = true;
	reader->has_regs = false;
	return STATUS_OK;
}

/* A line in or around a case; `word` is its first word. */
static enum exit_status parse_line(struct translate_reader *reader, const char *word, char *rest,
				   struct translate_item *item, struct diag *diag)
{
	if (strcmp(word, "case") == 0)
		return parse_case(reader, rest, item, diag);
	if (!reader->in_case)
		return line_bad(&reader->line, diag, "'%s' outside a case; expected 'case NAME'",
				word);
	if (strcmp(word, "regs") == 0)
		return parse_regs(reader, rest, item, diag);
	if (strcmp(word, "mem") == 0)
		return parse_mem(reader, rest, item, diag);
	if (strcmp(word, "q") == 0)
		return parse_query(reader, rest, item, diag);
	if (strcmp(word, "end") != 0)
		return line_bad(&reader->line, diag, "'%s'; expected regs, mem, q or end", word);
	item->kind = ITEM_END;
	reader->in_case = false;
	return STATUS_OK;
}

enum exit_status translate_next(struct translate_reader *reader, struct translate_item *item,
				struct diag *diag)
{
	item->has_id = false;
	item->has_ext = false;
	for (;;) {
		enum exit_status status;
		bool end = false;
		char *rest, *word;

		status = line_next(&reader->line, &end, diag);
		if (status != STATUS_OK)
			return status;
		if (end) {
			item->kind = ITEM_EOF;
			if (reader->in_case)
				return line_bad(&reader->line, diag,
						"the file ends within a case; expected 'end'");
			return STATUS_OK;
		}
		rest = reader->line.text;
		word = next_word(&rest);
		if (!word)
			continue;
		if (strcmp(word, "#") == 0 && strncmp(rest, "corpus ", 7) == 0)
			return parse_corpus(reader, rest + 7, item, diag);
		if (word[0] != '#')
			return parse_line(reader, word, rest, item, diag);
	}
}
