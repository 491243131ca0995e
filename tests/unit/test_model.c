/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/model.h"

static char folder[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, P_tmpdir "/test_model.XXXXXX");
	return mkdtemp(folder) && setenv("TWOSTAGE_MODELS", folder, 1) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* The model `text` is refused at LINE:COLUMN of it, with `words`. */
static void refuse(const char *text, const char *line_column, const char *words)
{
	struct diag diag = DIAG_INIT;
	char place[160];

	write_file("m.yaml", text);
	snprintf(place, sizeof(place), "%s/m.yaml:%s", folder, line_column);
	assert_null(model_load("m", &diag));
	assert_int_equal(diag.status, STATUS_BAD_INPUT);
	assert_string_equal(diag.place, place);
	if (!strstr(diag.text, words))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, words);
}

static const struct model_value *value_of(const struct model *model, const char *key)
{
	return &model->values[params_find(key) - params];
}

static void forms_of_keys_and_values(void **state)
{
	struct diag diag = DIAG_INIT;
	struct model *model;

	(void)state;
	write_file("m.yaml", "name: mine\n"
			     "description: a test\n"
			     "tlb:\n"
			     "  l1d: { entries: 7, page_sizes: [2M, 4K] }\n"
			     "  l2.entries: { value: none, assumed: true, reason: why not }\n"
			     "tlb.l1i.entries: { value: 9, source: \"a book, p. 1\" }\n"
			     "seed: { value: 3, assumed: true }\n");
	model = model_load("m", &diag);
	assert_non_null(model);
	assert_string_equal(model->name, "mine");
	assert_string_equal(model->description, "a test");
	assert_int_equal(model->config.tlb.l1d.entries, 7);
	assert_int_equal(model->config.tlb.l1d.page_sizes, 1 << 12 | 1 << 21);
	assert_int_equal(model->config.tlb.l2.entries, 0);
	assert_int_equal(model->config.tlb.l1i.entries, 9);
	assert_int_equal(value_of(model, "tlb.l1d.entries")->origin, ORIGIN_PLAIN);
	assert_int_equal(value_of(model, "tlb.l1d.ways")->origin, ORIGIN_DEFAULT);
	assert_int_equal(value_of(model, "tlb.l1i.entries")->origin, ORIGIN_SOURCE);
	assert_string_equal(value_of(model, "tlb.l1i.entries")->note, "a book, p. 1");
	assert_int_equal(value_of(model, "tlb.l2.entries")->origin, ORIGIN_ASSUMED);
	assert_string_equal(value_of(model, "tlb.l2.entries")->note, "why not");
	assert_null(value_of(model, "seed")->note);
	assert_int_equal(model_check_sources(model, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "tlb.l1d.entries has neither"));
	diag = (struct diag)DIAG_INIT;
	assert_int_equal(model_set_option(model, "seed=8", &diag), STATUS_OK);
	assert_int_equal(value_of(model, "seed")->origin, ORIGIN_OPTION);
	assert_int_equal(model->config.seed, 8);
	model_free(model);
}

static void inheritance(void **state)
{
	struct diag diag = DIAG_INIT;
	struct model *model;

	(void)state;
	write_file("a.yaml", "name: a\ntlb.l1d.entries: 5\ntlb.l2.entries: 100\n");
	write_file("b.yaml", "base: a\ntlb.l1d.entries: 6\n");
	write_file("c.yaml", "base: b.yaml\nseed: 2\n");
	model = model_load("c", &diag);
	assert_non_null(model);
	assert_string_equal(model->name, "c");
	assert_int_equal(model->n_files, 4);
	assert_int_equal(model->config.tlb.l1d.entries, 6);
	assert_int_equal(model->config.tlb.l2.entries, 100);
	assert_int_equal(model->config.seed, 2);
	model_free(model);
}

static void cyclic_bases(void **state)
{
	struct diag diag = DIAG_INIT;

	(void)state;
	refuse("base: m\n", "1:7", "is built upon itself");
	write_file("a.yaml", "base: b\n");
	write_file("b.yaml", "base: a\n");
	assert_null(model_load("a", &diag));
	assert_non_null(strstr(diag.text, "is built upon itself"));
	write_file("m.yaml", "seed: 1\nbase: nobody\n");
	diag = (struct diag)DIAG_INIT;
	assert_null(model_load("m", &diag));
	assert_int_equal(diag.status, STATUS_NO_INPUT);
	assert_non_null(strstr(diag.place, "m.yaml:2:7"));
	assert_non_null(strstr(diag.text, "no model 'nobody'"));
}

static void long_chain(void **state)
{
	struct diag diag = DIAG_INIT;
	char name[32], text[32];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "x%d.yaml", i);
		snprintf(text, sizeof(text), "base: x%d\n", i + 1);
		write_file(name, text);
	}
	write_file("x20.yaml", "seed: 1\n");
	assert_null(model_load("x0", &diag));
	assert_non_null(strstr(diag.text, "more than 16 models"));
}

static void refused(void **state)
{
	(void)state;
	refuse("stage2:\n  ipa_bit: 40\n", "2:3", "did you mean 'stage2.ipa_bits'?");
	refuse("stage2.ipa_bits: 40x\n", "1:18", "is not a whole number");
	refuse("stage2:\n  ipa_bits: 53\n", "2:13", "expected 32 to 52 bits");
	refuse("stage2: { ipa_bits: { value: 53, assumed: true } }\n", "1:30", "expected 32 to 52");
	refuse("stage2: 40\n", "1:9", "group of parameters");
	refuse("stage2: { ipa_bits: 40 }\nstage2.ipa_bits: 41\n", "2:1", "already set in line 1");
	refuse("seed: [1, 2]\n", "1:7", "one value, not a list");
	refuse("seed:\n", "1:6", "a value is missing");
	refuse("seed: { source: a }\n", "1:7", "no 'value:'");
	refuse("seed: { value: 1, sourc: a }\n", "1:19", "did you mean 'source'?");
	refuse("seed: { value: 1, assumed: yes }\n", "1:28", "'true' was expected");
	refuse("seed: { value: 1, source: a, assumed: true }\n", "1:39", "not both");
	refuse("seed: { value: 1, reason: a }\n", "1:27", "goes with 'assumed: true'");
	refuse("seed: { value: 1, source: [a] }\n", "1:27", "text was expected");
	refuse("seed: { value: { value: 1 } }\n", "1:16", "a value is missing");
	refuse("tlb.l1d.page_sizes: [4K, [2M]]\n", "1:26", "a page size was expected");
	refuse("tlb.l1d.page_sizes: [4K, 3M]\n", "1:21", "page sizes from 4K");
	refuse("name: [a]\n", "1:7", "text was expected");
	refuse("- a\n", "1:1", "a map of parameters was expected");
	refuse("", "1:1", "a map of parameters was expected");
}

static void missing(void **state)
{
	struct diag diag = DIAG_INIT;

	(void)state;
	write_file("cortex-x9.yaml", "seed: 1\n");
	assert_null(model_load("cortex-x8", &diag));
	assert_int_equal(diag.status, STATUS_NO_INPUT);
	assert_non_null(strstr(diag.text, "did you mean 'cortex-x9'?"));
	diag = (struct diag)DIAG_INIT;
	assert_null(model_load("./nothing/here.yaml", &diag));
	assert_int_equal(diag.status, STATUS_NO_INPUT);
}

/* What software costs has its sources in a file under all models, and the same values without it.
 */
static void costs_under_all(void **state)
{
	struct diag diag = DIAG_INIT;
	struct model *model, *defaults = model_defaults(&diag);

	(void)state;
	write_file("m.yaml", "cost.exit: { value: 7, source: x }\n");
	write_file("n.yaml", "base: m\n");
	model = model_load("n", &diag);
	assert_non_null(model);
	assert_non_null(defaults);
	assert_int_equal(model->n_files, 3);
	assert_int_equal(model->config.cost.exit, 7);
	assert_string_equal(value_of(model, "cost.exit")->note, "x");
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		const struct model_value *value = &model->values[i];

		if (strncmp(params[i].key, "cost.", 5) != 0 ||
		    strcmp(params[i].key, "cost.exit") == 0)
			continue;
		if (value->origin != ORIGIN_SOURCE && value->origin != ORIGIN_ASSUMED)
			fail_msg("%s has no source", params[i].key);
		assert_int_equal(params_number(&model->config, &params[i]),
				 params_number(&defaults->config, &params[i]));
	}
	model_free(model);
	model_free(defaults);
}

/* A file of that name beside the model comes before the shipped one; it lies under itself not. */
static void own_costs(void **state)
{
	struct diag diag = DIAG_INIT;
	struct model *model;
	char path[128];

	(void)state;
	write_file("host-costs.yaml", "cost.tlbi: { value: 9, source: y }\n");
	write_file("m.yaml", "seed: { value: 2, source: x }\n");
	model = model_load("m", &diag);
	assert_non_null(model);
	assert_int_equal(model->config.cost.tlbi, 9);
	model_free(model);
	snprintf(path, sizeof(path), "%s/host-costs.yaml", folder);
	model = model_load(path, &diag);
	assert_non_null(model);
	assert_int_equal(model->n_files, 1);
	model_free(model);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(costs_under_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(own_costs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(forms_of_keys_and_values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(inheritance, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cyclic_bases, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_chain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(missing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
