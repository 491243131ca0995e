/* SPDX-License-Identifier: BSD-2-Clause */
#include "results/stat_expr.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "config/params.h"
#include "results/derived.h"

enum { STEPS_MAX = 64, DEPTH_MAX = 16, WORD_MAX = 64 };

enum step_kind {
	STEP_NUMBER,
	STEP_STAT,
	STEP_PARAM,
	STEP_DERIVED,
	STEP_ADD,
	STEP_SUB,
	STEP_MUL,
	STEP_DIV,
};

/* Postfix: operands push, operators take two. */
struct step {
	enum step_kind kind;
	size_t index; /* of the statistic, parameter or derived figure */
	double number;
};

struct stat_expr {
	size_t n_steps;
	struct step steps[STEPS_MAX];
};

struct parser {
	struct stat_expr *expr;
	const char *at;
	unsigned depth;
	struct diag *diag;
};

static void skip_spaces(struct parser *parser)
{
	parser->at += strspn(parser->at, " \t\n");
}

static bool fail(struct parser *parser, const char *what)
{
	const int n = (int)strcspn(parser->at, " \t\n");

	diag_set(parser->diag, STATUS_BAD_INPUT, "%s expected, found '%.*s'", what,
		 n < WORD_MAX ? n : WORD_MAX, parser->at);
	return false;
}

static bool push(struct parser *parser, struct step step)
{
	if (parser->expr->n_steps == STEPS_MAX) {
		diag_set(parser->diag, STATUS_BAD_INPUT, "more than %d terms", STEPS_MAX);
		return false;
	}
	parser->expr->steps[parser->expr->n_steps++] = step;
	return true;
}

static bool parse_number(struct parser *parser)
{
	static const char suffixes[] = "KMGT";
	char *end;
	double number = strtod(parser->at, &end);
	const char *suffix = *end ? strchr(suffixes, *end) : NULL;

	if (suffix) {
		for (const char *s = suffixes; s <= suffix; s++)
			number *= 1024;
		end++;
	}
	if (isalnum((unsigned char)*end) || *end == '_')
		return fail(parser, "a number");
	parser->at = end;
	return push(parser, (struct step){ STEP_NUMBER, 0, number });
}

/* A name that is neither statistic nor numeric parameter, with the nearest statistic. */
static bool unknown(struct parser *parser, const char *word)
{
	struct suggest search;

	suggest_init(&search, word);
	for (size_t i = 0; i < STAT_COUNT; i++)
		suggest_offer(&search, stat_rows[i].name);
	if (search.best)
		diag_set(parser->diag, STATUS_BAD_INPUT,
			 "unknown statistic '%s'; did you mean '%s'?", word, search.best);
	else
		diag_set(parser->diag, STATUS_BAD_INPUT,
			 "'%s' is neither a statistic nor a numeric parameter", word);
	return false;
}

static bool parse_name(struct parser *parser)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
	const size_t n = strspn(parser->at, letters);
	char word[WORD_MAX];
	const struct param *param;

	if (n == 0 || n >= sizeof(word))
		return fail(parser, "a statistic, a number or '('");
	memcpy(word, parser->at, n);
	word[n] = '\0';
	parser->at += n;
	for (size_t i = 0; i < STAT_COUNT; i++)
		if (strcmp(stat_rows[i].name, word) == 0)
			return push(parser, (struct step){ STEP_STAT, i, 0 });
	for (size_t i = 0; derived_name(i); i++)
		if (strcmp(derived_name(i), word) == 0)
			return push(parser, (struct step){ STEP_DERIVED, i, 0 });
	param = params_find(word);
	if (param && (params_is_number(param) || param->type == PARAM_GRANULE))
		return push(parser, (struct step){ STEP_PARAM, (size_t)(param - params), 0 });
	return unknown(parser, word);
}

static bool parse_sum(struct parser *parser);

static bool parse_operand(struct parser *parser)
{
	skip_spaces(parser);
	if (isdigit((unsigned char)*parser->at))
		return parse_number(parser);
	if (*parser->at != '(')
		return parse_name(parser);
	if (++parser->depth > DEPTH_MAX)
		return fail(parser, "fewer parentheses");
	parser->at++;
	if (!parse_sum(parser))
		return false;
	if (*parser->at != ')')
		return fail(parser, "')'");
	parser->at++;
	parser->depth--;
	return true;
}

/* Operands joined by two operators of one rank, from the left. */
static bool parse_chain(struct parser *parser, bool (*operand)(struct parser *parser),
			const char operators[2], const enum step_kind kinds[2])
{
	if (!operand(parser))
		return false;
	for (;;) {
		size_t which;

		skip_spaces(parser);
		for (which = 0; which < 2 && *parser->at != operators[which];)
			which++;
		if (which == 2)
			return true;
		parser->at++;
		if (!operand(parser) || !push(parser, (struct step){ kinds[which], 0, 0 }))
			return false;
	}
}

static bool parse_product(struct parser *parser)
{
	return parse_chain(parser, parse_operand, (const char[]){ '*', '/' },
			   (const enum step_kind[]){ STEP_MUL, STEP_DIV });
}

static bool parse_sum(struct parser *parser)
{
	return parse_chain(parser, parse_product, (const char[]){ '+', '-' },
			   (const enum step_kind[]){ STEP_ADD, STEP_SUB });
}

struct stat_expr *stat_expr_parse(const char *text, struct diag *diag)
{
	struct stat_expr *expr = calloc(1, sizeof(*expr));
	struct parser parser = { .expr = expr, .at = text, .diag = diag };

	if (!expr) {
		diag_set(diag, STATUS_INTERNAL, "out of memory");
		return NULL;
	}
	if (parse_sum(&parser) && (*parser.at == '\0' || fail(&parser, "an operator")))
		return expr;
	free(expr);
	return NULL;
}

void stat_expr_free(struct stat_expr *expr)
{
	free(expr);
}

/* A granule in bytes; its field is a log2. */
static double param_value(const struct config *config, const struct param *param)
{
	const uint64_t number = params_number(config, param);

	return (double)(param->type == PARAM_GRANULE ? UINT64_C(1) << number : number);
}

/* False: it has no value. */
static bool operand_value(const struct step *step, const struct config *config,
			  const struct stats *stats, double *value)
{
	switch (step->kind) {
	case STEP_STAT:
		*value = (double)stats->v[step->index];
		return true;
	case STEP_PARAM:
		*value = param_value(config, &params[step->index]);
		return true;
	case STEP_DERIVED:
		return derived_value(step->index, config, value);
	default:
		*value = step->number;
		return true;
	}
}

/* One operator on the two topmost values. False: division by 0. */
static bool apply(enum step_kind kind, double *left, double right)
{
	switch (kind) {
	case STEP_ADD:
		*left += right;
		return true;
	case STEP_SUB:
		*left -= right;
		return true;
	case STEP_MUL:
		*left *= right;
		return true;
	default:
		if (right == 0)
			return false;
		*left /= right;
		return true;
	}
}

bool stat_expr_value(const struct stat_expr *expr, const struct config *config,
		     const struct stats *stats, double *value)
{
	double stack[STEPS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < expr->n_steps; i++) {
		const struct step *step = &expr->steps[i];

		if (step->kind < STEP_ADD) {
			if (!operand_value(step, config, stats, &stack[n++]))
				return false;
			continue;
		}
		n--;
		if (!apply(step->kind, &stack[n - 1], stack[n]))
			return false;
	}
	*value = stack[0];
	return true;
}

static bool has_step(const struct stat_expr *expr, enum step_kind kind)
{
	for (size_t i = 0; i < expr->n_steps; i++)
		if (expr->steps[i].kind == kind)
			return true;
	return false;
}

bool stat_expr_is_ratio(const struct stat_expr *expr)
{
	return has_step(expr, STEP_DIV);
}

bool stat_expr_needs_run(const struct stat_expr *expr)
{
	return has_step(expr, STEP_STAT);
}
