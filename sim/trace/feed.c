/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/feed.h"

#include <stdlib.h>
#include <string.h>

#include "trace/import_private.h"
#include "trace/rng.h"
#include "trace/source.h"
#include "trace/word_runs.h"

/* No more at once, so that two blocks at most are begun and not read yet. */
enum { WORDS_AT_ONCE = 16384 };

struct trace_feed {
	char *path, *from; /* from: NULL if the content decides */
	bool salvage, wants_digest;
	bool copies; /* trace_input_copy_words(): a file may grow, and is another's to close */
	unsigned columns;
	struct trace_input *input;
	struct block_builder blocks;
	struct trace_collapser *collapser; /* of a trace that is not taken as words */
	struct word_runs *words;
	struct trace_ref *refs;
	void *state; /* the importer's */
	struct trace_info info;
	struct diag damage; /* what ended a trace that is salvaged */
	uint64_t ready;	    /* blocks that are whole */
	uint64_t next;	    /* block to be given out */
	bool ended;
};

static enum exit_status no_memory(const struct trace_feed *s, struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "%s: out of memory", s->path);
}

static bool takes_words(const struct trace_feed *s)
{
	return s->input->ops->words && s->info.granularity != TRACE_RAW;
}

static enum word_detail detail_of(unsigned columns)
{
	return columns & (COLUMN_COUNTS | COLUMN_INSTRUCTIONS) ? WORD_COUNTS : WORD_BARE;
}

/* What reads the trace from its start; s->input is open. */
static enum exit_status begin(struct trace_feed *s, struct diag *diag)
{
	const enum trace_granularity granularity = s->info.granularity;
	bool ok = blocks_init(&s->blocks, granularity);

	s->state = calloc(1, s->input->ops->state_bytes + 1);
	s->refs = malloc(BATCH_REFS * sizeof(*s->refs));
	if (takes_words(s))
		s->words = malloc(sizeof(*s->words));
	else
		s->collapser = trace_collapser_into(&s->blocks);
	if (!ok || !s->state || !s->refs || (!s->words && !s->collapser))
		return no_memory(s, diag);
	if (s->words)
		word_runs_init(s->words, &s->blocks, WORD_WIDEST, detail_of(s->columns));
	if (s->wants_digest && !source_digest_begin(s->input->source))
		return no_memory(s, diag);
	return STATUS_OK;
}

static void end(struct trace_feed *s)
{
	if (s->collapser)
		(void)trace_collapser_finish(s->collapser, NULL);
	s->collapser = NULL;
	free(s->words);
	s->words = NULL;
	free(s->refs);
	s->refs = NULL;
	free(s->state);
	s->state = NULL;
	blocks_free(&s->blocks);
	if (!s->copies)
		trace_input_close(s->input);
	s->input = NULL;
}

void trace_feed_close(struct trace_feed *s)
{
	if (!s)
		return;
	end(s);
	free(s->path);
	free(s->from);
	free(s);
}

/* `input` is the feed's in any case. */
static struct trace_feed *create(struct trace_input *input, const char *path, const char *from,
				 enum trace_granularity granularity, struct diag *diag)
{
	struct trace_feed *s = calloc(1, sizeof(*s));

	if (!s) {
		diag_set(diag, STATUS_INTERNAL, "%s: out of memory", path);
		trace_input_close(input);
		return NULL;
	}
	s->input = input;
	s->salvage = input->salvage;
	s->columns = COLUMN_KEY;
	s->info = (struct trace_info){
		.granularity = granularity,
		.complete = true,
		.provenance = "",
	};
	s->path = strdup(path);
	s->from = from ? strdup(from) : NULL;
	if (s->path && (s->from || !from) && begin(s, diag) == STATUS_OK)
		return s;
	diag_set(diag, STATUS_INTERNAL, "%s: out of memory", path);
	trace_feed_close(s);
	return NULL;
}

enum exit_status trace_open_once(const char *path, const char *from, bool salvage,
				 enum trace_granularity granularity, struct trace_reader **reader,
				 struct trace_feed **feed, struct diag *diag)
{
	struct trace_input *input;

	*feed = NULL;
	*reader = NULL;
	if (!from && trace_is_spec(path)) {
		*reader = trace_open_any(path, from, salvage, granularity, diag);
		return *reader ? STATUS_OK : diag->status;
	}
	input = trace_input_open(path, from, salvage, diag);
	if (!input)
		return diag->status;
	if (input->ops && source_is_file(input->source)) {
		*feed = create(input, path, from, granularity, diag);
		return *feed ? STATUS_OK : diag->status;
	}
	*reader = trace_input_reader(input, path, granularity, diag);
	trace_input_close(input);
	return *reader ? STATUS_OK : diag->status;
}

enum exit_status trace_feed_want_digest(struct trace_feed *s, struct diag *diag)
{
	s->wants_digest = true;
	return source_digest_begin(s->input->source) ? STATUS_OK : no_memory(s, diag);
}

const struct trace_info *trace_feed_info(const struct trace_feed *s)
{
	return &s->info;
}

uint64_t trace_feed_estimate(const struct trace_feed *s)
{
	const uint64_t accesses = trace_accesses(&s->info.totals);
	uint64_t all, read = source_progress(s->input->source, &all);

	if (s->ended || read == 0 || read >= all)
		return accesses;
	return (uint64_t)((rng_u128)accesses * all / read);
}

/* Where blocks are whole: all records before this one are closed. */
static uint64_t closed_before(const struct trace_feed *s)
{
	return s->words ? word_runs_closed(s->words) : blocks_next(&s->blocks);
}

static void add_totals(struct trace_totals *sum, const struct trace_totals *more)
{
	sum->records += more->records;
	sum->instructions += more->instructions;
	sum->fetches += more->fetches;
	sum->loads += more->loads;
	sum->stores += more->stores;
	sum->splits += more->splits;
}

/* Count the blocks that have become whole; at the end the last one is, however short. */
static void count_blocks(struct trace_feed *s)
{
	struct block_builder *b = &s->blocks;
	const uint64_t closed = closed_before(s);
	struct trace_info *info = &s->info;

	while ((s->ready + 1) * TRACE_BLOCK_RECORDS <= closed ||
	       (s->ended && s->ready * TRACE_BLOCK_RECORDS < closed)) {
		struct trace_block block;

		blocks_view(b, s->ready++, COLUMN_KEYS_ALONE, &block);
		add_totals(&info->totals, &block.totals);
	}
	info->blocks = s->ready;
	info->va_bits = b->va_bits > info->va_bits ? b->va_bits : info->va_bits;
	info->ipa_bits = b->ipa_bits > info->ipa_bits ? b->ipa_bits : info->ipa_bits;
	info->vcpus = b->vcpus > info->vcpus ? b->vcpus : info->vcpus;
	info->vms = b->vms > info->vms ? b->vms : info->vms;
	info->has_ipa = info->ipa_bits > 0;
}

/* The trace has ended: well, or with damage. */
static enum exit_status finish(struct trace_feed *s, const struct diag *damage, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	if (damage->status && !(s->salvage && damage->status == STATUS_BAD_INPUT))
		return diag_set(diag, damage->status, "%s", damage->text);
	if (!s->copies && source_has_changed(s->input->source))
		return diag_set(diag, STATUS_BAD_INPUT, "%s: the file changed while it was read",
				s->path);
	s->ended = true;
	s->damage = *damage;
	s->info.complete = !damage->status;
	if (s->words) {
		word_runs_finish(s->words);
	} else {
		status = trace_collapser_finish(s->collapser, diag);
		s->collapser = NULL;
	}
	if (s->wants_digest)
		s->info.content_digest = source_digest(s->input->source);
	return status;
}

/* Some words, or else what follows them: the end, or a word that the importer has to refuse. */
static bool push_words(struct trace_feed *s, struct diag *damage)
{
	const unsigned char *words;
	size_t got, n, done;

	words = source_peek(s->input->source, sizeof(uint64_t), &got, damage);
	if (!words)
		return false;
	n = got / sizeof(uint64_t);
	done = word_runs_take(s->words, words, n < WORDS_AT_ONCE ? n : WORDS_AT_ONCE);
	source_take(s->input->source, done * sizeof(uint64_t));
	return done > 0;
}

/* A piece of the input into records; at its end s->ended is set. */
static enum exit_status push(struct trace_feed *s, struct diag *diag)
{
	struct diag damage = DIAG_INIT;
	enum exit_status status;
	long n;

	if (s->words && push_words(s, &damage))
		return STATUS_OK;
	n = damage.status
		    ? -1
		    : s->input->ops->read(s->state, s->input->source, s->refs, BATCH_REFS, &damage);
	if (n <= 0)
		return finish(s, &damage, diag);
	status = trace_collapse(s->collapser, s->refs, (size_t)n, diag);
	return status;
}

static enum exit_status make_ready(struct trace_feed *s, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	while (s->ready == s->next && !s->ended && status == STATUS_OK) {
		status = push(s, diag);
		if (status == STATUS_OK)
			count_blocks(s);
	}
	return status;
}

enum exit_status trace_feed_prime(struct trace_feed *s, struct diag *diag)
{
	return make_ready(s, diag);
}

enum exit_status trace_feed_next(struct trace_feed *s, struct trace_block *block, bool *more,
				 struct diag *diag)
{
	enum exit_status status = make_ready(s, diag);

	*more = status == STATUS_OK && s->next < s->ready;
	if (*more)
		blocks_view(&s->blocks, s->next++, s->columns, block);
	return status;
}

const struct diag *trace_feed_damage(const struct trace_feed *s)
{
	return &s->damage;
}

bool trace_feed_again(struct trace_feed *s, unsigned back, struct trace_block *block)
{
	const unsigned columns = COLUMN_KEY | COLUMN_FIRST_KIND | COLUMN_ORDINALS;

	if (back >= s->next)
		return false;
	blocks_view(&s->blocks, s->next - 1 - back, columns, block);
	return true;
}

/* Back to the start. What has been learned of the whole trace stays. */
static enum exit_status rewind_feed(struct trace_feed *s, struct diag *diag)
{
	end(s);
	s->ended = false;
	s->ready = s->next = 0;
	s->damage = (struct diag)DIAG_INIT;
	s->info.totals = (struct trace_totals){ 0 };
	s->info.complete = true;
	s->input = trace_input_open(s->path, s->from, s->salvage, diag);
	if (!s->input)
		return diag->status;
	if (!s->input->ops)
		return diag_set(diag, STATUS_BAD_INPUT, "%s: the file changed while it was read",
				s->path);
	return begin(s, diag);
}

enum exit_status trace_feed_want(struct trace_feed *s, unsigned columns, struct diag *diag)
{
	const bool again = s->words && s->words->detail != detail_of(columns);
	enum exit_status status = STATUS_OK;

	s->columns = columns;
	if (again)
		status = rewind_feed(s, diag);
	return status ? status : make_ready(s, diag);
}

enum exit_status trace_feed_learn(struct trace_feed *s, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	while (!s->ended && status == STATUS_OK) {
		s->next = s->ready;
		status = make_ready(s, diag);
	}
	return status ? status : rewind_feed(s, diag);
}

static enum exit_status copy_blocks(struct trace_feed *s, struct trace_writer *writer,
				    struct diag *diag)
{
	enum exit_status status = trace_feed_want(s, COLUMN_ALL, diag);
	bool more = true;

	while (status == STATUS_OK && more) {
		struct trace_block block = { 0 };

		status = trace_feed_next(s, &block, &more, diag);
		for (uint32_t i = 0; status == STATUS_OK && more && i < block.n_records; i++) {
			const struct trace_run run = trace_block_run(&block, i);

			status = trace_put_run(writer, &run, diag);
		}
	}
	return status;
}

enum exit_status trace_input_copy_words(struct trace_input *input, struct trace_writer *writer,
					enum trace_granularity granularity, struct diag *diag)
{
	struct trace_feed s = {
		.copies = true,
		.path = strdup(source_path(input->source)),
		.salvage = input->salvage,
		.columns = COLUMN_ALL,
		.input = input,
		.info = { .granularity = granularity },
	};
	enum exit_status status =
		s.path ? begin(&s, diag) : diag_set(diag, STATUS_INTERNAL, "out of memory");

	if (status == STATUS_OK)
		status = copy_blocks(&s, writer, diag);
	if (status == STATUS_OK && s.damage.status)
		diag_set(diag, s.damage.status, "%s", s.damage.text);
	end(&s);
	free(s.path);
	return status;
}
