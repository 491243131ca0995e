/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A replay whose statistics are those of systematic samples of the trace: of each period of
 * ordinals (accesses; those over a page boundary are two), `length` of them count. Between the
 * samples the machine is kept warm as sample.warm says (docs/model.md, M46, M47). With all of
 * the trace in samples the result is that of a full run.
 *
 * Misses, walks and faults count where they happen. The accesses of a sample are as many as it is
 * long; how many of them are fetches, loads and stores, and how many instructions they belong to,
 * is that of their block of the trace.
 */
#ifndef TWOSTAGE_RUN_SAMPLE_H
#define TWOSTAGE_RUN_SAMPLE_H

#include "run/machine.h"
#include "run/sample_pages.h"
#include "run/timeline.h"
#include "trace/trace.h"

struct replay;

enum sample_state {
	SAMPLE_SKIP,  /* pages are mapped at their first access, all else stays as it is */
	SAMPLE_WARM,  /* accesses are made and do not count */
	SAMPLE_COUNT, /* they do */
};

/* Where the samples lie, in ordinals: one in each period. */
struct sample_grid {
	uint64_t period, length; /* 0 < length <= period */
	uint64_t offset;	 /* of each sample in its period; offset + length <= period */
	uint64_t all;		 /* ordinals of the trace */
	bool drawn;		 /* each has a place of its own; offset 0 */
	uint64_t seed;
};

/* Sample `index`, which may lie behind the end of the trace. */
struct sample_span {
	uint64_t begin, end;
};
struct sample_span sample_grid_span(const struct sample_grid *grid, uint64_t index);

struct sampler {
	struct machine *machine;
	const struct trace_reader *trace;
	struct interval_table *table; /* a row for each sample */
	struct sample_grid grid;
	uint64_t warm; /* ordinals before each sample; UINT64_MAX: all */
	enum sample_state state;
	uint64_t due;		      /* ordinal at which the state changes */
	uint64_t row;		      /* of the current or next sample */
	struct sample_span span;      /* of that one */
	struct stats at;	      /* counts at the start of the current sample */
	struct stats sum;	      /* over the samples that are over */
	struct walk_latencies *aside; /* owned; latencies of walks, of the state that is not on */
	struct sample_pages touched;  /* pages that are mapped for certain */
};

/* Does the configuration ask for samples? */
bool sample_wanted(const struct config *config);

/* The grid of a configuration that does. */
struct sample_grid sample_grid_of(const struct config *config, const struct trace_info *info);

/* Samples that a trace has, those included that its end cuts. */
uint64_t sample_grid_rows(const struct sample_grid *grid);

/* Rows of the table; 0: there would be more than INTERVALS_MAX. */
uint64_t sample_rows(const struct config *config, const struct trace_info *info);

/*
 * For a replay of `trace` that has not begun; `table` is given its rows here
 * (interval_table_free()), and all must outlive the sampler. STATUS_BAD_INPUT: the configuration
 * takes no samples of this trace.
 */
enum exit_status sampler_init(struct sampler *sampler, struct replay *replay,
			      const struct trace_reader *trace, struct interval_table *table,
			      struct diag *diag);
void sampler_fini(struct sampler *sampler);

/*
 * Read block `index`, in order, with `columns` and what the sampler wants. If nothing of it is to
 * be done, block->key is NULL.
 */
enum exit_status sampler_read(struct sampler *sampler, uint64_t index, unsigned columns,
			      struct trace_block *block, struct diag *diag);

/* The replay has come to a record that begins at `ordinal`, where the state changes. */
void sampler_mark(struct sampler *sampler, uint64_t ordinal);

/* An event has changed what is mapped. */
void sampler_forget(struct sampler *sampler, const struct trace_event *event);

/*
 * After the last record: the statistics of the samples. STATUS_BAD_INPUT: so little is in them that
 * what hit and what missed cannot be told.
 */
enum exit_status sampler_finish(struct sampler *sampler, struct stats *stats, struct diag *diag);

#endif
