/* SPDX-License-Identifier: BSD-2-Clause */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/model.h"
#include "tests/repro/engine_point.h"
#include "tests/repro/scratch.h"
#include "trace/gen.h"

static void check(enum exit_status status, const struct diag *diag)
{
	if (status == STATUS_OK)
		return;
	fprintf(stderr, "%s: %s\n", diag->place, diag->text);
	exit((int)status);
}

struct config measure_model(const char *name, const char *settings)
{
	struct diag diag = DIAG_INIT;
	struct model *model = model_load(name, &diag);
	struct config config;

	check(model ? STATUS_OK : diag.status, &diag);
	config = model->config;
	model_free(model);
	engine_set(&config, settings);
	return config;
}

static void set_phase(struct gen_phase *phase, enum gen_pattern pattern, uint64_t footprint,
		      uint64_t accesses)
{
	phase->pattern = pattern;
	phase->footprint = footprint;
	phase->accesses = accesses;
	phase->fetches = 0;
	phase->stores = 0;
}

/* Frees the specification. */
static struct stats run(const struct config *config, struct gen_spec *spec)
{
	const struct trace_writer_options options = { .granularity = TRACE_PAGE_RUNS,
						      .zstd_level = 1 };
	const char *path = scratch_path("measure.s2t");
	struct diag diag = DIAG_INIT;
	struct trace_writer *writer = trace_create(path, &options, &diag);
	struct trace_collapser *collapser;

	check(writer ? STATUS_OK : diag.status, &diag);
	collapser = trace_collapser_create(writer, options.granularity);
	if (!collapser)
		exit(STATUS_INTERNAL);
	check(gen_check(spec, &diag), &diag);
	check(gen_run(spec, collapser, &diag), &diag);
	check(trace_collapser_finish(collapser, &diag), &diag);
	check(trace_finish(writer, NULL, &diag), &diag);
	free(spec);
	return engine_run(config, path);
}

static struct gen_spec *new_spec(void)
{
	struct gen_spec *spec = malloc(sizeof(*spec));

	if (!spec)
		exit(STATUS_INTERNAL);
	gen_spec_init(spec);
	return spec;
}

static double per(const struct stats *warm, const struct stats *end, enum stat_id id,
		  uint64_t accesses)
{
	return ((double)end->v[id] - (double)warm->v[id]) / (double)accesses;
}

static struct measure difference(const struct stats *warm, const struct stats *end, uint64_t n)
{
	return (struct measure){
		.translation_cycles = per(warm, end, STAT_translation_cycles, n),
		.l1d_misses = per(warm, end, STAT_l1d_tlb_misses, n),
		.l2_misses = per(warm, end, STAT_l2_tlb_misses, n),
	};
}

static struct stats run_chase(const struct config *config, uint64_t nodes, uint64_t item_bytes,
			      uint64_t rounds)
{
	struct gen_spec *spec = new_spec();

	set_phase(&spec->phases[0], GEN_CHASE, nodes * item_bytes, rounds * nodes);
	spec->phases[0].item = item_bytes;
	return run(config, spec);
}

struct measure measure_chase(const struct config *config, uint64_t nodes, uint64_t item_bytes)
{
	const struct stats warm = run_chase(config, nodes, item_bytes, 2);
	const struct stats end = run_chase(config, nodes, item_bytes, 4);

	return difference(&warm, &end, 2 * nodes);
}

/* Page by page first, so that no fault is left. */
static struct stats run_uniform(const struct config *config, uint64_t footprint, uint64_t accesses)
{
	struct gen_spec *spec = new_spec();

	spec->n_phases = 2;
	spec->phases[1] = spec->phases[0];
	set_phase(&spec->phases[0], GEN_STRIDE, footprint, footprint / 4096);
	spec->phases[0].stride = 4096;
	set_phase(&spec->phases[1], GEN_UNIFORM, footprint, accesses);
	spec->phases[1].size = 64;
	return run(config, spec);
}

struct measure measure_uniform(const struct config *config, uint64_t footprint, uint64_t accesses)
{
	const struct stats warm = run_uniform(config, footprint, accesses);
	const struct stats end = run_uniform(config, footprint, 2 * accesses);

	return difference(&warm, &end, accesses);
}
