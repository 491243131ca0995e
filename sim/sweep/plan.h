/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The plan of a sweep: which points a spec asks for (docs/config.md), each once, in an order that
 * depends on the spec alone and keeps the points of one trace together.
 */
#ifndef TWOSTAGE_SWEEP_PLAN_H
#define TWOSTAGE_SWEEP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/yaml_tree.h"
#include "config/config.h"
#include "config/model.h"
#include "config/params.h"
#include "results/db.h"
#include "trace/trace.h"

enum { PLAN_POINTS_MAX = 10 * 1000 * 1000 };

/* Parameters that advance together: one axis, or a zipped group of them. */
struct plan_axis {
	const struct param **params;
	size_t n_params, n_steps;
	uint64_t *fields; /* [step * n_params + param]: the field of struct config, as it is */
};

/* A cross product; its own name is only for messages. */
struct plan_grid {
	uint32_t *models, *traces; /* indices into the plan's */
	size_t n_models, n_traces;
	struct plan_axis *axes; /* `set:` is the first, of one step; the last varies fastest */
	size_t n_axes;
	uint64_t n_steps; /* product over the axes */
};

struct plan_trace {
	char *path;
	struct trace_reader *reader; /* after plan_open_traces() */
	struct diag *damage;	     /* what ends a trace that is salvaged; NULL: it is whole */
	struct db_trace name;
	/* sample.* of all points of this trace, where their axes say nothing else; may be set
	 * between plan_open_traces() and plan_expand(). period 0: as in the models. */
	uint64_t sample_period, sample_length, sample_warm; /* accesses */
};

struct plan_point {
	uint32_t grid, model, trace;
	uint64_t step;
	char key[DB_KEY_TEXT];
};

struct plan_table; /* sweep/plan_tables.h */

struct plan {
	const char *name; /* points into the spec */
	struct yaml_tree *spec;
	struct model **models;
	size_t n_models;
	struct plan_trace *traces;
	size_t n_traces;
	struct plan_grid *grids;
	size_t n_grids;
	struct plan_point *points; /* after plan_expand() */
	size_t n_points, n_duplicates;
	struct plan_table *tables; /* of `print:` */
	size_t n_tables;
	bool salvage; /* damaged traces up to the damage; may be set before plan_open_traces() */
};

/* Read a spec: names, files and values are checked, nothing is opened. NULL on failure. */
struct plan *plan_load(const char *path, struct diag *diag);
void plan_free(struct plan *plan);

/*
 * Open all traces, foreign ones and specifications converted once, into a temporary file each,
 * which the workers read, too.
 */
enum exit_status plan_open_traces(struct plan *plan, struct diag *diag);

/* List the points with their keys; those that a point before them equals are left out. */
enum exit_status plan_expand(struct plan *plan, struct diag *diag);

/* The configuration of one point. */
void plan_config(const struct plan *plan, const struct plan_point *point, struct config *config);

/* "neoverse-n1, xz.s2t, stage2.ipa_bits=40, ...": model, trace, and what the axes set. */
void plan_describe(const struct plan *plan, const struct plan_point *point, char *text,
		   size_t n_bytes);

/* For plan_spec.c: the grids, models and traces of a spec. */
enum exit_status plan_read_spec(struct plan *plan, struct diag *diag);

#endif
