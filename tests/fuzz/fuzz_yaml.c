/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * YAML and what is read from it: the first byte says whether the others are a model, a sweep spec,
 * a specification of a synthetic trace or one --set option. What is refused has a place and a text;
 * what is accepted can be written as text that means the same.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/machine.h"
#include "sweep/plan.h"
#include "tests/fuzz/fuzz.h"
#include "trace/gen.h"

enum { PLAN_POINTS_TRIED = 1000 };

static void expect_refusal(const struct diag *diag)
{
	FUZZ_EXPECT(diag->status == STATUS_BAD_INPUT || diag->status == STATUS_NO_INPUT ||
		    diag->status == STATUS_IO);
	FUZZ_EXPECT(diag->text[0] && !strchr(diag->text, '\n') && !strchr(diag->place, '\n'));
}

static void expect_round_trip(const struct config *config)
{
	struct config again;
	struct diag diag = DIAG_INIT;
	struct params_text *text = params_text_create();
	size_t n_bytes;
	char *first;

	FUZZ_EXPECT(params_defaults(&again, &diag) == STATUS_OK);
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		char value[PARAM_TEXT_MAX];

		params_format(config, &params[i], value);
		FUZZ_EXPECT(params_set_row(&again, &params[i], value, &diag) == STATUS_OK);
	}
	FUZZ_EXPECT(text);
	first = strdup(params_text_of(text, config, &n_bytes));
	FUZZ_EXPECT(first && strcmp(first, params_text_of(text, &again, &n_bytes)) == 0);
	free(first);
	params_text_free(text);
}

/* Any accepted configuration is one that a machine can be made of, or is refused. */
static void check_machine(const struct config *config)
{
	struct diag diag = DIAG_INIT;

	if (machine_check(config, &diag) != STATUS_OK)
		expect_refusal(&diag);
}

static void try_model(const char *path)
{
	struct diag diag = DIAG_INIT, sources = DIAG_INIT;
	struct model *model = model_load(path, &diag);

	if (!model) {
		expect_refusal(&diag);
		return;
	}
	if (model_check_sources(model, &sources) != STATUS_OK)
		expect_refusal(&sources);
	expect_round_trip(&model->config);
	check_machine(&model->config);
	model_free(model);
}

/* Traces are not opened: their paths could be any file of the machine. */
static void try_plan(const char *path)
{
	struct diag diag = DIAG_INIT;
	struct plan *plan = plan_load(path, &diag);

	if (!plan) {
		expect_refusal(&diag);
		return;
	}
	for (size_t g = 0; g < plan->n_grids; g++) {
		const struct plan_grid *grid = &plan->grids[g];

		for (uint64_t step = 0; step < grid->n_steps && step < PLAN_POINTS_TRIED; step++) {
			const struct plan_point point = { .grid = (uint32_t)g,
							  .model = grid->models[0],
							  .trace = grid->traces[0],
							  .step = step };
			struct config config;

			plan_config(plan, &point, &config);
			expect_round_trip(&config);
			check_machine(&config);
		}
	}
	plan_free(plan);
}

static void try_gen(const char *path)
{
	struct diag diag = DIAG_INIT;
	struct gen_spec spec;
	char *text;

	gen_spec_init(&spec);
	if (gen_load(&spec, path, &diag) != STATUS_OK || gen_check(&spec, &diag) != STATUS_OK) {
		expect_refusal(&diag);
		return;
	}
	text = gen_describe(&spec);
	FUZZ_EXPECT(text);
	free(text);
}

static void try_option(const uint8_t *data, size_t n)
{
	struct config config;
	struct diag diag = DIAG_INIT;
	char *option = malloc(n + 1);

	FUZZ_EXPECT(option && params_defaults(&config, &diag) == STATUS_OK);
	if (n)
		memcpy(option, data, n);
	option[n] = '\0';
	if (params_set_option(&config, option, &diag) == STATUS_OK)
		check_machine(&config);
	else
		FUZZ_EXPECT(diag.text[0]);
	expect_round_trip(&config);
	free(option);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[FUZZ_PATH_BYTES];
	int fd;

	if (n == 0)
		return 0;
	fd = fuzz_file(data + 1, n - 1, path);
	switch (data[0] & 3) {
	case 0:
		try_model(path);
		break;
	case 1:
		try_plan(path);
		break;
	case 2:
		try_gen(path);
		break;
	default:
		try_option(data + 1, n - 1);
	}
	close(fd);
	return 0;
}
