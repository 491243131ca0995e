/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/word_runs.h"

#include "trace/raw_word.h"

enum { PAGE_BYTES = 4096, WORTH_A_WINDOW = 8 };

/* Longer runs are closed, far from where their counts would overflow. */
static const uint64_t max_run = UINT64_C(1) << 30;

void word_runs_init(struct word_runs *w, struct block_builder *blocks, enum word_width width,
		    enum word_detail detail)
{
	const uint64_t unit_mask = low_mask(blocks->granularity);

	*w = (struct word_runs){
		.blocks = blocks,
		.scan = word_scanner(width),
		.take = word_taker(width, detail),
		.detail = detail,
		.match = ~(UINT64_C(31) << 49 | unit_mask),
	};
	for (unsigned i = 0; i < WORD_VCPUS; i++)
		w->lane[i].unit[0] = w->lane[i].unit[1] = UINT64_MAX;
}

/*
 * The page behind the last one of the lower half, where only the second piece of an access can be:
 * no word has its address, and no word's unit has this bit.
 */
static const uint64_t behind_lower_half = UINT64_C(1) << 51;

static uint64_t unit_behind(const struct word_runs *w, uint64_t word)
{
	const uint64_t va = (raw_word_ref(word).va | (PAGE_BYTES - 1)) + 1;

	return (raw_word_of(va, (uint16_t)(word >> 54)) & w->match) |
	       (va >> 48 == 1 ? behind_lower_half : 0);
}

static struct trace_key key_of(uint64_t tag)
{
	const struct trace_ref ref = raw_word_ref(tag);

	return (struct trace_key){
		.va = tag & behind_lower_half ? UINT64_C(1) << 48 : ref.va,
		.ipa = TRACE_IPA_UNKNOWN,
		.vcpu = ref.vcpu,
		.stream = tag >> 49 & 1,
	};
}

uint16_t word_key(struct block_builder *b, uint64_t tag)
{
	const struct block_slot *slot = word_slot(b, tag), *end = b->slots + blocks_slots(b);
	struct trace_key key;

	for (; slot->tag; slot = slot + 1 < end ? slot + 1 : b->slots)
		if (slot->tag == tag)
			return (uint16_t)slot->index;
	key = key_of(tag);
	return blocks_add_key(b, tag, &key);
}

static void close_stream(struct word_lane *lane, unsigned stream)
{
	if (lane->run[stream].store)
		word_close(&lane->run[stream]);
	lane->unit[stream] = UINT64_MAX;
}

uint64_t word_runs_closed(struct word_runs *w)
{
	uint64_t oldest = blocks_next(w->blocks);

	for (unsigned i = 0; i < 2 * w->n_lanes; i++) {
		const struct word_run *run = &w->lane[i / 2].run[i % 2];
		uint64_t number;

		if (!run->store)
			continue;
		number = run->store->number * TRACE_BLOCK_RECORDS + run->record;
		oldest = number < oldest ? number : oldest;
	}
	return w->oldest = oldest;
}

/* Of the first piece of an open run; that of the next one if none is open. */
static uint64_t oldest_ordinal(const struct word_runs *w)
{
	uint64_t oldest = w->ordinal;

	for (unsigned i = 0; i < 2 * w->n_lanes; i++) {
		const struct word_run *run = &w->lane[i / 2].run[i % 2];

		if (run->store && run->store->ordinal[run->record] < oldest)
			oldest = run->store->ordinal[run->record];
	}
	return oldest;
}

/* The open run that has kept so many others waiting that it cannot stay open. */
static void close_oldest(struct word_runs *w)
{
	const uint64_t oldest = word_runs_closed(w);

	if (blocks_next(w->blocks) - oldest < WORD_PENDING)
		return;
	for (unsigned i = 0; i < 2 * w->n_lanes; i++) {
		const struct word_run *run = &w->lane[i / 2].run[i % 2];

		if (run->store && run->store->number * TRACE_BLOCK_RECORDS + run->record == oldest)
			close_stream(&w->lane[i / 2], i % 2);
	}
}

/* A run of the piece with the next ordinal, which counts nothing yet. */
static struct word_run *start(struct word_runs *w, struct word_lane *lane, uint64_t unit,
			      unsigned stream)
{
	struct block_builder *b = w->blocks;
	struct word_run *run = &lane->run[stream];
	struct block_store *s;

	close_stream(lane, stream);
	if (blocks_next(b) - w->oldest >= WORD_PENDING)
		close_oldest(w);
	if (b->filling->n_records == TRACE_BLOCK_RECORDS)
		blocks_advance(b);
	s = b->filling;
	*run = (struct word_run){ .store = s, .record = s->n_records++, .first_store = UINT64_MAX };
	lane->unit[stream] = unit;
	s->key[run->record] = word_key(b, word_tag(unit, stream));
	s->ordinal[run->record] = w->ordinal;
	s->instructions[run->record] = (uint32_t)w->instructions;
	w->instructions = 0;
	w->newest = s;
	w->newest_record = run->record;
	return run;
}

/* The open run of the piece with the next ordinal. */
static struct word_run *run_of(struct word_runs *w, struct word_lane *lane, uint64_t unit,
			       unsigned stream)
{
	return lane->unit[stream] == unit ? &lane->run[stream] : start(w, lane, unit, stream);
}

static void touch(struct word_runs *w, struct word_run *run, unsigned kind)
{
	run->last = w->ordinal++;
	if (kind == ACCESS_STORE && run->first_store == UINT64_MAX)
		run->first_store = run->last;
}

static void count_word(struct trace_totals *totals, unsigned kind)
{
	totals->instructions += kind == ACCESS_FETCH;
	totals->fetches += kind == ACCESS_FETCH;
	totals->loads += kind == ACCESS_LOAD;
	totals->stores += kind == ACCESS_STORE;
}

static void take_word(struct word_runs *w, uint64_t word)
{
	const unsigned kind = word >> 49 & 3, stream = kind != ACCESS_FETCH;
	const unsigned vcpu = (unsigned)(word >> 54);
	struct word_lane *lane = &w->lane[vcpu];
	struct word_run *run;

	w->n_lanes = vcpu < w->n_lanes ? w->n_lanes : vcpu + 1;
	w->instructions += kind == ACCESS_FETCH;
	count_word(&w->blocks->filling->totals, kind);
	run = run_of(w, lane, word & w->match, stream);
	run->reads += kind != ACCESS_STORE;
	run->stores += kind == ACCESS_STORE;
	touch(w, run, kind);
	if (kind != ACCESS_FETCH && raw_word_straddles(word)) {
		run = run_of(w, lane, unit_behind(w, word), stream);
		run->splits++;
		w->blocks->filling->totals.splits++;
		touch(w, run, kind);
	}
}

/* One by one; how many are valid. */
static size_t take_slowly(struct word_runs *w, const unsigned char *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const uint64_t word = raw_word_at(words + 8 * i);

		if (!raw_word_valid(word))
			return i;
		take_word(w, word);
	}
	return n;
}

/* Can they be started without a run being closed early, or a block being full? */
static bool has_room(struct word_runs *w, unsigned starts)
{
	if (w->blocks->filling->n_records + starts > TRACE_BLOCK_RECORDS)
		return false;
	return blocks_next(w->blocks) + starts - w->oldest <= WORD_PENDING ||
	       blocks_next(w->blocks) + starts - word_runs_closed(w) <= WORD_PENDING;
}

/* Up to 64 words at once; false: nothing has happened. */
static bool take_window(struct word_runs *w, const unsigned char *words, unsigned n)
{
	const unsigned vcpu = raw_word_at(words) >> 54 & 0xff;
	struct word_lane *lane = &w->lane[vcpu];
	uint64_t unit[2] = { lane->unit[0], lane->unit[1] };
	struct word_bits bits;

	if (!w->scan(w, words, n, unit, &bits) ||
	    !has_room(w, (unsigned)__builtin_popcountll(bits.starts)))
		return false;
	w->n_lanes = vcpu < w->n_lanes ? w->n_lanes : vcpu + 1;
	w->take(w, lane, words, n, &bits);
	lane->unit[0] = unit[0];
	lane->unit[1] = unit[1];
	return true;
}

/* How many of them, from the first on, can be a window: up to one of another vCPU, for example. */
static unsigned count_plain(const unsigned char *words, unsigned n)
{
	const uint64_t first = raw_word_at(words);
	unsigned i = 0;

	for (; i < n; i++) {
		const uint64_t word = raw_word_at(words + 8 * i);

		if (!raw_word_valid(word) || (word ^ first) >> 54 || raw_word_straddles(word))
			break;
	}
	return i;
}

/* Some of 1 to 64 words; 0: the first is not valid. */
static size_t take_some(struct word_runs *w, const unsigned char *words, unsigned n)
{
	unsigned some;

	if (take_window(w, words, n))
		return n;
	some = count_plain(words, n);
	if (some >= WORTH_A_WINDOW && some < n && take_window(w, words, some))
		return some;
	return take_slowly(w, words, n);
}

size_t word_runs_take(struct word_runs *w, const unsigned char *words, size_t n)
{
	size_t done = 0, taken = 1;

	if (w->ordinal - oldest_ordinal(w) > max_run)
		word_runs_finish(w);
	for (; done < n && taken > 0; done += taken) {
		const size_t part = n - done < WORD_WINDOW ? n - done : WORD_WINDOW;

		taken = take_some(w, words + 8 * done, (unsigned)part);
	}
	return done;
}

void word_runs_finish(struct word_runs *w)
{
	if (w->newest) {
		w->newest->instructions[w->newest_record] += (uint32_t)w->instructions;
		w->instructions = 0;
		w->newest = NULL;
	}
	for (unsigned i = 0; i < 2 * w->n_lanes; i++)
		close_stream(&w->lane[i / 2], i % 2);
}
