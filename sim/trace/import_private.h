/* SPDX-License-Identifier: BSD-2-Clause */
/* Between import.c and feed.c. */
#ifndef TWOSTAGE_TRACE_IMPORT_PRIVATE_H
#define TWOSTAGE_TRACE_IMPORT_PRIVATE_H

#include "trace/import.h"

enum { BATCH_REFS = 4096 };

struct trace_input {
	struct byte_source *source;
	const struct import_ops *ops; /* NULL: native */
	struct trace_reader *reader;  /* of a native trace */
	bool salvage;
};

/* All of it as a native trace, in a temporary file unless it is one. As trace_open_any(). */
struct trace_reader *trace_input_reader(struct trace_input *input, const char *path,
					enum trace_granularity granularity, struct diag *diag);

/* trace_input_copy() of words to runs. */
enum exit_status trace_input_copy_words(struct trace_input *input, struct trace_writer *writer,
					enum trace_granularity granularity, struct diag *diag);

/* Is this a specification of `trace gen`: the only YAML that names a trace? */
bool trace_is_spec(const char *path);

#endif
