/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_point.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/params.h"
#include "run/point.h"

static void check(enum exit_status status, const struct diag *diag)
{
	if (status == STATUS_OK)
		return;
	fprintf(stderr, "%s: %s\n", diag->place, diag->text);
	exit((int)status);
}

void engine_set(struct config *config, const char *settings)
{
	struct diag diag = DIAG_INIT;
	char *copy = strdup(settings), *rest = NULL;

	if (!copy)
		exit(STATUS_INTERNAL);
	for (char *s = strtok_r(copy, " ", &rest); s; s = strtok_r(NULL, " ", &rest))
		check(params_set_option(config, s, &diag), &diag);
	free(copy);
}

struct config engine_config(const char *settings)
{
	struct config config;
	struct diag diag = DIAG_INIT;

	check(params_defaults(&config, &diag), &diag);
	engine_set(&config, settings);
	return config;
}

enum exit_status engine_refusal(const struct config *config, const char *path, struct diag *diag)
{
	struct trace_reader *reader = trace_open(path, false, diag);
	struct stats stats;
	enum exit_status status;

	check(reader ? STATUS_OK : STATUS_IO, diag);
	status = point_run(config, reader, NULL, &stats, diag);
	trace_close(reader);
	return status;
}

struct stats engine_run(const struct config *config, const char *path)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader = trace_open(path, false, &diag);
	struct stats stats;

	check(reader ? STATUS_OK : STATUS_IO, &diag);
	check(point_run(config, reader, NULL, &stats, &diag), &diag);
	trace_close(reader);
	return stats;
}

bool engine_possible(const struct config *config)
{
	struct diag diag = DIAG_INIT;

	return point_check(config, &diag) == STATUS_OK;
}

/* Record `i` of a block as a run of the one address space. */
static void copy_record(struct trace_writer *writer, const struct trace_block *b, uint32_t i)
{
	struct diag diag = DIAG_INIT;
	struct trace_run run = trace_block_run(b, i);

	run.key.vm = run.key.asid = 0;
	check(trace_put_run(writer, &run, &diag), &diag);
}

void engine_addresses(const char *path, const char *to, uint64_t max_records)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader = trace_open(path, false, &diag);
	struct trace_writer_options options = { 0 };
	struct trace_block block = { 0 };
	struct trace_writer *writer;

	check(reader ? STATUS_OK : STATUS_IO, &diag);
	options.granularity = trace_info(reader)->granularity;
	writer = trace_create(to, &options, &diag);
	check(writer ? STATUS_OK : STATUS_IO, &diag);
	for (uint64_t b = 0; b < trace_info(reader)->blocks && max_records; b++) {
		check(trace_read_block(reader, b, COLUMN_ALL, &block, &diag), &diag);
		for (uint32_t i = 0; i < block.n_records && max_records; i++, max_records--)
			copy_record(writer, &block, i);
	}
	trace_block_free(&block);
	trace_close(reader);
	check(trace_finish(writer, NULL, &diag), &diag);
}
