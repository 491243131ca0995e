/* SPDX-License-Identifier: BSD-2-Clause */
/* Any trace: its format found, foreign ones turned into native ones. */
#include "trace/import_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/gen.h"
#include "trace/s2t.h"
#include "trace/source.h"
#include "trace/temporary.h"

enum {
	HEAD_BYTES = 1 << 16, /* what the importers look at to know their own */
	LEAST_SCORE = 30,
	SPOOL_LEVEL = -5, /* a temporary trace is read once or twice: speed counts */
};

/* A native trace that comes compressed, or through a pipe, into a file that can be read anywhere.
 */
static struct trace_reader *spool_native(struct byte_source *source, bool salvage,
					 struct diag *diag)
{
	const char *path = source_path(source);
	const unsigned char *p;
	char *name;
	int fd = temporary_open(path, &name, diag);
	size_t got;

	if (fd < 0)
		return NULL;
	while ((p = source_peek(source, SOURCE_MAX_PEEK, &got, diag)) && got > 0) {
		ssize_t written = write(fd, p, got);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			diag_set(diag, STATUS_IO, "%s: cannot write: %s", name, strerror(errno));
			p = NULL;
			break;
		}
		source_take(source, (size_t)written);
	}
	free(name);
	if (!p && !(salvage && diag->status == STATUS_BAD_INPUT)) {
		close(fd);
		return NULL;
	}
	return trace_open_fd(fd, path, salvage, diag);
}

static const struct import_ops *find_ops(const char *name, const char *path, struct diag *diag)
{
	char names[256] = "";

	for (size_t i = 0; fmt_registry[i]; i++) {
		if (strcmp(fmt_registry[i]->name, name) == 0)
			return fmt_registry[i];
		snprintf(names + strlen(names), sizeof(names) - strlen(names), ", %s",
			 fmt_registry[i]->name);
	}
	diag_set(diag, STATUS_USAGE, "%s: no trace format is called '%s'; expected s2t%s", path,
		 name, names);
	return NULL;
}

/* The importer that is surest of itself; of equals the first by name. */
static const struct import_ops *probe_all(struct byte_source *source, const unsigned char *head,
					  size_t n, struct diag *diag)
{
	const struct import_ops *best = NULL;
	char names[256] = "";
	int best_score = LEAST_SCORE - 1;

	for (size_t i = 0; fmt_registry[i]; i++) {
		int score = fmt_registry[i]->probe(head, n, source_path(source));

		if (score > best_score) {
			best_score = score;
			best = fmt_registry[i];
		}
		snprintf(names + strlen(names), sizeof(names) - strlen(names), ", %s",
			 fmt_registry[i]->name);
	}
	if (!best)
		source_fail(source, 0, diag,
			    "expected a trace in a known format: s2t%s; --from NAME forces one",
			    names);
	return best;
}

static bool is_native(const unsigned char *head, size_t n)
{
	return n >= 8 && memcmp(head, S2T_MAGIC, 8) == 0;
}

/* A native file itself can be read anywhere: through its own descriptor. */
static struct trace_reader *open_native(const char *path, struct byte_source *source, bool salvage,
					struct diag *diag)
{
	char magic[8] = "";
	FILE *file = strcmp(path, "-") == 0 ? NULL : fopen(path, "rbe");
	size_t n = 0;

	if (file) {
		n = fread(magic, 1, sizeof(magic), file);
		fclose(file);
	}
	if (is_native((const unsigned char *)magic, n))
		return trace_open(path, salvage, diag);
	return spool_native(source, salvage, diag);
}

static enum exit_status open_format(struct trace_input *in, const char *path, const char *from,
				    struct diag *diag)
{
	const unsigned char *head;
	size_t n;

	if (!(in->source = source_open(path, diag)) ||
	    !(head = source_peek(in->source, HEAD_BYTES, &n, diag)))
		return diag->status;
	if (from ? strcmp(from, "s2t") == 0 : is_native(head, n)) {
		in->reader = open_native(path, in->source, in->salvage, diag);
		return in->reader ? STATUS_OK : diag->status;
	}
	if (!from && n == 0)
		return diag_set(diag, STATUS_BAD_INPUT, "%s: byte 0: the file is empty", path);
	in->ops = from ? find_ops(from, path, diag) : probe_all(in->source, head, n, diag);
	return in->ops ? STATUS_OK : diag->status;
}

struct trace_input *trace_input_open(const char *path, const char *from, bool salvage,
				     struct diag *diag)
{
	struct trace_input *in = calloc(1, sizeof(*in));
	struct diag own = DIAG_INIT;

	if (!in) {
		diag_set(diag, STATUS_INTERNAL, "%s: out of memory", path);
		return NULL;
	}
	in->salvage = salvage;
	if (open_format(in, path, from, &own) != STATUS_OK) {
		trace_input_close(in);
		in = NULL;
	}
	if (own.status)
		diag_set(diag, own.status, "%s", own.text);
	return in;
}

void trace_input_close(struct trace_input *in)
{
	if (!in)
		return;
	source_close(in->source);
	trace_close(in->reader);
	free(in);
}

const char *trace_input_format(const struct trace_input *in)
{
	return in->ops ? in->ops->name : "s2t";
}

struct trace_reader *trace_input_native(struct trace_input *in)
{
	return in->reader;
}

/* All references of a foreign trace. Damage is STATUS_OK when salvaging, with *damage set. */
static enum exit_status copy_refs(struct trace_input *in, struct trace_collapser *collapser,
				  struct diag *damage, struct diag *diag)
{
	struct trace_ref *refs = malloc(BATCH_REFS * sizeof(*refs));
	void *state = calloc(1, in->ops->state_bytes + 1);
	enum exit_status status = STATUS_OK;
	long n = 0;

	if (!refs || !state)
		status = diag_set(diag, STATUS_INTERNAL, "out of memory");
	while (!status && n >= 0 &&
	       (n = in->ops->read(state, in->source, refs, BATCH_REFS, damage)) > 0)
		status = trace_collapse(collapser, refs, (size_t)n, diag);
	if (!status && n < 0 && !(in->salvage && damage->status == STATUS_BAD_INPUT))
		status = diag_set(diag, damage->status, "%s", damage->text);
	free(refs);
	free(state);
	return status;
}

enum exit_status trace_input_copy(struct trace_input *in, struct trace_writer *writer,
				  enum trace_granularity granularity, struct diag *diag)
{
	struct diag damage = DIAG_INIT;
	struct trace_collapser *collapser;
	enum exit_status status, finished;

	if (in->reader && trace_info(in->reader)->granularity > granularity)
		return diag_set(
			diag, STATUS_BAD_INPUT, "%s: a trace of %s cannot become finer than it is",
			trace_path(in->reader),
			trace_info(in->reader)->granularity == TRACE_PAGE_RUNS ? "page runs"
									       : "line runs");
	if (in->ops && in->ops->words && granularity != TRACE_RAW)
		return trace_input_copy_words(in, writer, granularity, diag);
	collapser = trace_collapser_create(writer, granularity);
	if (!collapser)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	status = in->reader ? trace_collapse_trace(collapser, in->reader, diag)
			    : copy_refs(in, collapser, &damage, diag);
	finished = trace_collapser_finish(collapser, status ? NULL : diag);
	status = status ? status : finished;
	if (!status && damage.status)
		diag_set(diag, damage.status, "%s", damage.text);
	return status;
}

/* Writes the records of a trace that is made in a temporary file. */
typedef enum exit_status spool_fill(void *ctx, struct trace_writer *writer,
				    enum trace_granularity granularity, struct diag *diag);

static enum exit_status fill_from_input(void *ctx, struct trace_writer *writer,
					enum trace_granularity granularity, struct diag *diag)
{
	return trace_input_copy(ctx, writer, granularity, diag);
}

static enum exit_status fill_from_spec(void *ctx, struct trace_writer *writer,
				       enum trace_granularity granularity, struct diag *diag)
{
	struct trace_collapser *collapser = trace_collapser_create(writer, granularity);
	enum exit_status status, finished;

	if (!collapser)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	status = gen_run(ctx, collapser, diag);
	finished = trace_collapser_finish(collapser, status ? NULL : diag);
	return status ? status : finished;
}

/* The file `fd`, which stays open, gets the records and is then whole. */
static enum exit_status fill_file(spool_fill *fill, void *ctx, int fd, const char *name,
				  enum trace_granularity granularity, struct diag *diag)
{
	struct trace_writer_options options = { .granularity = granularity,
						.zstd_level = SPOOL_LEVEL };
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct diag own = DIAG_INIT;
	struct trace_writer *writer;
	enum exit_status status;

	if (copy < 0)
		return diag_set(diag, STATUS_IO, "%s: %s", name, strerror(errno));
	writer = trace_create_fd(copy, name, &options, diag);
	if (!writer)
		return diag->status;
	status = fill(ctx, writer, granularity, diag);
	if (status) {
		trace_abandon(writer);
		return status;
	}
	status = trace_finish(writer, NULL, &own);
	return status ? diag_set(diag, status, "%s", own.text) : STATUS_OK;
}

/* A native trace in a temporary file. */
static struct trace_reader *spool(spool_fill *fill, void *ctx, const char *path,
				  enum trace_granularity granularity, struct diag *diag)
{
	char *name;
	const int fd = temporary_open(path, &name, diag);
	enum exit_status status;

	if (fd < 0)
		return NULL;
	status = fill_file(fill, ctx, fd, name, granularity, diag);
	free(name);
	if (status == STATUS_OK)
		return trace_open_fd(fd, path, false, diag);
	close(fd);
	return NULL;
}

bool trace_is_spec(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && strcmp(dot, ".yaml") == 0;
}

static struct trace_reader *open_generated(const char *path, enum trace_granularity granularity,
					   struct diag *diag)
{
	struct gen_spec *spec = malloc(sizeof(*spec));
	struct trace_reader *reader = NULL;

	if (!spec) {
		diag_set(diag, STATUS_INTERNAL, "%s: out of memory", path);
		return NULL;
	}
	gen_spec_init(spec);
	if (gen_load(spec, path, diag) == STATUS_OK)
		reader = spool(fill_from_spec, spec, path, granularity, diag);
	free(spec);
	return reader;
}

struct trace_reader *trace_input_reader(struct trace_input *in, const char *path,
					enum trace_granularity granularity, struct diag *diag)
{
	struct trace_reader *reader = in->reader;
	struct diag own = DIAG_INIT;

	if (reader) {
		in->reader = NULL;
		return reader;
	}
	reader = spool(fill_from_input, in, path, granularity, &own);
	if (reader && own.status)
		s2t_mark_incomplete(reader);
	if (own.status)
		diag_set(diag, own.status, "%s", own.text);
	return reader;
}

struct trace_reader *trace_open_any(const char *path, const char *from, bool salvage,
				    enum trace_granularity granularity, struct diag *diag)
{
	struct trace_reader *reader = NULL;
	struct trace_input *in;

	if (!from && trace_is_spec(path))
		return open_generated(path, granularity, diag);
	in = trace_input_open(path, from, salvage, diag);
	if (in)
		reader = trace_input_reader(in, path, granularity, diag);
	trace_input_close(in);
	return reader;
}
