/* SPDX-License-Identifier: BSD-2-Clause */
/* Figures from statistics: values worked out by hand, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/params.h"
#include "results/stat_expr.h"

/* walks = 8, walk_reads = 20, walk_cycles = 0, s2_mapped_2m = 3; cost.exit = 7. */
static void fill(struct config *config, struct stats *stats)
{
	struct diag diag = DIAG_INIT;

	memset(stats, 0, sizeof(*stats));
	assert_int_equal(params_defaults(config, &diag), STATUS_OK);
	config->cost.exit = 7;
	stats->v[STAT_walks] = 8;
	stats->v[STAT_walk_reads] = 20;
	stats->v[STAT_s2_mapped_2m] = 3;
}

static void values(void **state)
{
	static const struct {
		const char *text;
		double value;
		bool ratio;
	} cases[] = {
		{ "walks", 8, false },
		{ "walk_reads / walks", 2.5, true },
		{ " 100*walks ", 800, false },
		{ "walk_reads - walks - 2", 10, false },
		{ "walk_reads - (walks - 2)", 14, false },
		{ "walk_reads + walks * 2", 36, false },
		{ "walks / 2 / 2", 2, true },
		{ "s2_mapped_2m * 2M", 3 * 2097152.0, false },
		{ "1G * s2_mapped_2m / (1T + 0)", 3 / 1024.0, true },
		{ "walks * cost.exit", 56, false },
		{ "2.5 * walks", 20, false },
		{ "stage2.granule * walks", 32768, false },
		/* 4K granule, 40 bits: level 1 with two tables; 48 bits of VA: level 0. */
		{ "stage2_start_level", 1, false },
		{ "stage2_root_tables * 10 + stage1_start_level", 20, false },
	};
	struct config config;
	struct stats stats;

	(void)state;
	fill(&config, &stats);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct diag diag = DIAG_INIT;
		struct stat_expr *expr = stat_expr_parse(cases[i].text, &diag);
		double value = -1;

		if (!expr)
			fail_msg("%s: %s", cases[i].text, diag.text);
		assert_true(stat_expr_value(expr, &config, &stats, &value));
		if (value != cases[i].value)
			fail_msg("%s is %g, not %g", cases[i].text, value, cases[i].value);
		assert_int_equal(stat_expr_is_ratio(expr), cases[i].ratio);
		stat_expr_free(expr);
	}
}

static void division_by_zero(void **state)
{
	struct diag diag = DIAG_INIT;
	struct stat_expr *expr = stat_expr_parse("1 + walks / walk_cycles", &diag);
	struct config config;
	struct stats stats;
	double value;

	(void)state;
	fill(&config, &stats);
	assert_non_null(expr);
	assert_false(stat_expr_value(expr, &config, &stats, &value));
	stat_expr_free(expr);
}

static void refused(void **state)
{
	static const char *const cases[][2] = {
		{ "", "'('" },
		{ "walk", "did you mean 'walks'" },
		{ "host.block_rule", "'host.block_rule' is neither" },
		{ "walks walks", "an operator expected, found 'walks'" },
		{ "walks +", "'(' expected" },
		{ "(walks", "')' expected" },
		{ "walks)", "an operator expected" },
		{ "3Q", "a number expected" },
		{ "((((((((((((((((((1))))))))))))))))))", "fewer parentheses" },
	};
	char many[400] = "1";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct diag diag = DIAG_INIT;

		assert_null(stat_expr_parse(cases[i][0], &diag));
		assert_int_equal(diag.status, STATUS_BAD_INPUT);
		if (!strstr(diag.text, cases[i][1]))
			fail_msg("\"%s\" does not say \"%s\"", diag.text, cases[i][1]);
	}
	for (size_t i = 0; i < 90; i++)
		strcat(many, "+1");
	assert_null(stat_expr_parse(many, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(division_by_zero),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
