/* SPDX-License-Identifier: BSD-2-Clause */
/* From the stored bytes of one block to arrays (docs/formats.md). Trusts no size in them. */
#include <stdlib.h>

#include "trace/s2t_column.h"
#include "trace/s2t_reader.h"

enum { RECORDS = TRACE_BLOCK_RECORDS };

struct decoding {
	struct trace_block *block;
	struct s2t_storage *storage;
	enum trace_granularity granularity;
	const char *path;
	uint64_t offset;
	struct diag *diag;
	struct s2t_block_header header;
	struct s2t_section sections[S2T_N_SECTION_TYPES]; /* by type; type 0: absent */
	const unsigned char *data[S2T_N_SECTION_TYPES];
};

static enum exit_status bad(const struct decoding *d, const char *what)
{
	return diag_set(d->diag, STATUS_BAD_INPUT, "%s: byte %llu: in this block, %s", d->path,
			(unsigned long long)d->offset, what);
}

/* Elements of a column of this type in the block. */
static size_t elements_of(const struct decoding *d, unsigned type)
{
	if (type == S2T_EVENTS)
		return d->header.n_events;
	return type <= S2T_KEY_FLAGS ? d->header.n_keys : d->header.n_records;
}

static enum exit_status find_sections(struct decoding *d)
{
	const unsigned char *table = d->storage->bytes + sizeof(d->header);
	uint64_t at = sizeof(d->header) + d->header.n_sections * sizeof(struct s2t_section);

	for (uint32_t i = 0; i < d->header.n_sections; i++) {
		struct s2t_section section;

		memcpy(&section, table + i * sizeof(section), sizeof(section));
		if (at + section.stored_bytes > d->header.block_bytes)
			return bad(d, "a section reaches beyond the end");
		if (section.type && section.type < S2T_N_SECTION_TYPES) {
			if (d->sections[section.type].type)
				return bad(d, "a section appears twice");
			d->sections[section.type] = section;
			d->data[section.type] = d->storage->bytes + at;
		}
		at += section.stored_bytes;
	}
	return STATUS_OK;
}

/* The section's content, which must be exactly n bytes, to `to`. */
static enum exit_status unpack(const struct decoding *d, unsigned type, void *to, size_t n)
{
	const struct s2t_section *s = &d->sections[type];

	if (s->encoding == S2T_STORED) {
		if (s->stored_bytes != n)
			return bad(d, "a stored section has the wrong size");
		memcpy(to, d->data[type], n);
		return STATUS_OK;
	}
	if (s->encoding != S2T_ZSTD)
		return bad(d, "a section has an unknown encoding");
	if (ZSTD_decompressDCtx(d->storage->dctx, to, n, d->data[type], s->stored_bytes) != n)
		return bad(d, "a compressed section is not valid");
	return STATUS_OK;
}

/* Where to unpack a column of `width` for a target of `target_width` bytes; NULL: neither. */
static enum exit_status check_column(const struct decoding *d, unsigned type, unsigned target_width)
{
	unsigned width = d->sections[type].width;

	if (d->sections[type].type == 0)
		return bad(d, "a section that every block has is missing");
	if ((width != 1 && width != 2 && width != 4 && width != 8) || width > target_width)
		return bad(d, "a column has a width that its type cannot have");
	if (d->sections[type].encoding == S2T_CONSTANT && target_width < 8 &&
	    d->sections[type].value >> (8 * target_width))
		return bad(d, "a constant column holds a value that its type cannot have");
	return STATUS_OK;
}

/* A column to `to`, an array of uint16_t, uint32_t or uint64_t as `to_width` bytes say. */
static enum exit_status column(const struct decoding *d, unsigned type, void *to, unsigned to_width)
{
	const struct s2t_section *s = &d->sections[type];
	const size_t n = elements_of(d, type);
	enum exit_status status = check_column(d, type, to_width);

	if (status)
		return status;
	if (s->encoding == S2T_CONSTANT) {
		fill(to, to_width, s->value, n);
		return STATUS_OK;
	}
	if (s->width == to_width)
		return unpack(d, type, to, n * to_width);
	status = unpack(d, type, d->storage->scratch, n * s->width);
	if (!status)
		widen(to, to_width, d->storage->scratch, s->width, n);
	return status;
}

#define COLUMN(d, type, to) column(d, type, to, sizeof(*(to)))

/* The first value, then those byte planes of the differences that are not all zero. */
static enum exit_status planes(const struct decoding *d, unsigned type, uint64_t *to)
{
	const struct s2t_section *s = &d->sections[type];
	const size_t n = elements_of(d, type);
	const unsigned char *plane = d->storage->scratch + 8;
	enum exit_status status;
	uint64_t sum;

	if (s->type == 0)
		return bad(d, "a section that every block has is missing");
	if (s->width != 8 || s->value > 0xff)
		return bad(d, "the byte planes of an address are not valid");
	status = unpack(d, type, d->storage->scratch,
			8 + n * (size_t)__builtin_popcountll(s->value));
	if (status)
		return status;
	memcpy(&sum, d->storage->scratch, 8);
	if (s->value == 0) {
		for (size_t i = 0; i < n; i++)
			to[i] = sum;
		return STATUS_OK;
	}
	memset(to, 0, n * sizeof(*to));
	for (unsigned b = 0; b < 8; b++) {
		if (!(s->value >> b & 1))
			continue;
		for (size_t i = 0; i < n; i++)
			to[i] |= (uint64_t)plane[i] << (8 * b);
		plane += n;
	}
	for (size_t i = 0; i < n; i++)
		to[i] = sum += to[i];
	return STATUS_OK;
}

/* The four bytes of a key from `el` on, for each value of its flags. */
struct flag_bytes {
	uint8_t el, stream, device, size_log2;
};
_Static_assert(offsetof(struct trace_key, size_log2) == offsetof(struct trace_key, el) + 3 &&
		       offsetof(struct trace_key, stream) == offsetof(struct trace_key, el) + 1,
	       "the flags of a key lie side by side");

static void list_flags(struct flag_bytes flags[256])
{
	for (unsigned f = 0; f < 256; f++)
		flags[f] = (struct flag_bytes){ f & 3, f >> 2 & 1, f >> 3 & 1, (uint8_t)(f >> 4) };
}

/* All columns first, then the keys in one pass: they are many where pages are seldom used twice. */
static enum exit_status decode_keys(const struct decoding *d)
{
	const size_t n = d->header.n_keys;
	const unsigned shift = d->granularity;
	struct s2t_storage *s = d->storage;
	uint16_t *vcpu = s->key_owner, *vm = vcpu + RECORDS, *asid = vm + RECORDS;
	uint16_t *flags = asid + RECORDS;
	struct flag_bytes flag_bytes[256];
	enum exit_status status;

	if ((status = planes(d, S2T_KEY_VA, s->key_va)) ||
	    (status = planes(d, S2T_KEY_IPA, s->key_ipa)) ||
	    (status = COLUMN(d, S2T_KEY_VCPU, vcpu)) || (status = COLUMN(d, S2T_KEY_VM, vm)) ||
	    (status = COLUMN(d, S2T_KEY_ASID, asid)) || (status = COLUMN(d, S2T_KEY_FLAGS, flags)))
		return status;
	list_flags(flag_bytes);
	for (size_t i = 0; i < n; i++) {
		const uint64_t ipa = s->key_ipa[i];

		struct trace_key *key = &s->keys[i];

		key->va = s->key_va[i] << shift;
		key->ipa = ipa == TRACE_IPA_UNKNOWN ? ipa : ipa << shift;
		key->vcpu = vcpu[i];
		key->vm = vm[i];
		key->asid = asid[i];
		memcpy(&key->el, &flag_bytes[flags[i] & 255], sizeof(flag_bytes[0]));
	}
	return STATUS_OK;
}

/* Narrow indices are compared before they are made wider: twice as many at once. */
static enum exit_status decode_index(const struct decoding *d)
{
	const struct s2t_section *section = &d->sections[S2T_INDEX];
	const size_t n = d->header.n_records;
	const bool narrow = section->width == 1 && section->encoding != S2T_CONSTANT;
	const enum exit_status status = COLUMN(d, S2T_INDEX, d->storage->key);
	unsigned max;

	if (status)
		return status;
	max = narrow ? max_of_8(d->storage->scratch, n) : max_of_16(d->storage->key, n);
	return max < d->header.n_keys ? STATUS_OK
				      : bad(d, "a record names a key beyond the last one");
}

static enum exit_status decode_stores(const struct decoding *d, unsigned columns)
{
	const size_t n = d->header.n_records;
	struct s2t_storage *s = d->storage;
	enum exit_status status = COLUMN(d, S2T_STORE_OFFSET, s->store_ordinal);
	bool ok = true;

	for (size_t i = 0; !status && i < n; i++) {
		const uint64_t offset = s->store_ordinal[i];

		s->first_store[i] = offset == 1;
		s->store_ordinal[i] = offset ? s->ordinal[i] + offset - 1 : UINT64_MAX;
		ok &= !offset || s->store_ordinal[i] >= s->ordinal[i];
		if (columns & COLUMN_ORDINALS)
			ok &= !offset || s->store_ordinal[i] <= s->last_ordinal[i];
	}
	return status || ok ? status : bad(d, "the first store of a record lies outside it");
}

static const char not_in_order[] = "its records are not in order of their first access";

/* Each access has one ordinal, so no two records begin with the same one. */
static bool sum_ordinals(const struct decoding *d)
{
	uint64_t *ordinal = d->storage->ordinal, sum = d->header.first_ordinal + ordinal[0];
	bool ok = sum >= ordinal[0];

	ordinal[0] = sum;
	/* Each is above the one before unless their difference is 0 or leaves 64 bits. */
	for (size_t i = 1; i < d->header.n_records; i++) {
		const uint64_t before = sum;

		sum += ordinal[i];
		ok &= sum > before;
		ordinal[i] = sum;
	}
	return ok;
}

/* Add each record's ordinal to its offset; false if one leaves 64 bits. */
static bool add_ordinals(const struct decoding *d, uint64_t *restrict offset)
{
	const uint64_t *restrict ordinal = d->storage->ordinal;
	uint64_t carries = 0;

	/* The carry out of the sum's highest bit. */
	for (size_t i = 0; i < d->header.n_records; i++) {
		const uint64_t a = ordinal[i], b = offset[i], sum = a + b;

		offset[i] = sum;
		carries |= (a & b) | ((a | b) & ~sum);
	}
	return !(carries >> 63);
}

static enum exit_status decode_ordinals(const struct decoding *d, unsigned columns)
{
	struct s2t_storage *s = d->storage;
	enum exit_status status = COLUMN(d, S2T_ORDINAL, s->ordinal);

	if (status)
		return status;
	if (!sum_ordinals(d))
		return bad(d, not_in_order);
	if (columns & COLUMN_ORDINALS) {
		if ((status = COLUMN(d, S2T_LAST_OFFSET, s->last_ordinal)))
			return status;
		if (!add_ordinals(d, s->last_ordinal))
			return bad(d, "the last access of a record has no ordinal");
	}
	return columns & COLUMN_FIRST_KIND ? decode_stores(d, columns) : STATUS_OK;
}

static enum exit_status decode_events(const struct decoding *d)
{
	const struct s2t_section *s = &d->sections[S2T_EVENTS];
	const size_t n = d->header.n_events;
	struct s2t_event *from;
	enum exit_status status;
	uint32_t before = 0;

	if (s->type == 0 || s->width != sizeof(*from))
		return bad(d, "the events are missing or of a wrong size");
	from = malloc(n * sizeof(*from));
	if (!from)
		return diag_set(d->diag, STATUS_INTERNAL, "%s: out of memory", d->path);
	status = unpack(d, S2T_EVENTS, from, n * sizeof(*from));
	for (size_t i = 0; !status && i < n; i++) {
		if (from[i].before < before || from[i].before > d->header.n_records)
			status = bad(d, "an event is out of order");
		else if (from[i].type < EVENT_CONTEXT_SWITCH || from[i].type > EVENT_FORK)
			status = bad(d, "an event has an unknown type");
		else if (from[i].type == EVENT_FORK && from[i].args[0] > UINT16_MAX)
			status = bad(d, "a fork event names no ASID");
		before = from[i].before;
		d->storage->events[i] = (struct trace_event){
			.before = before,
			.type = from[i].type,
			.vcpu = from[i].vcpu,
			.vm = from[i].vm,
			.asid = from[i].asid,
			.args = { from[i].args[0], from[i].args[1] },
		};
	}
	free(from);
	return status;
}

/* Columns of the records, but for the index into the keys. */
static enum exit_status decode_columns(const struct decoding *d, unsigned columns)
{
	struct s2t_storage *s = d->storage;
	enum exit_status status = STATUS_OK;

	if (columns & COLUMN_COUNTS) {
		status = COLUMN(d, S2T_READS, s->reads);
		status = status ? status : COLUMN(d, S2T_STORES, s->stores);
		status = status ? status : COLUMN(d, S2T_SPLITS, s->splits);
	}
	if (!status && columns & (COLUMN_ORDINALS | COLUMN_FIRST_KIND))
		status = decode_ordinals(d, columns);
	if (!status && columns & COLUMN_INSTRUCTIONS)
		status = COLUMN(d, S2T_INSTRUCTIONS, s->instructions);
	return status;
}

static enum exit_status decode_records(const struct decoding *d, unsigned columns)
{
	enum exit_status status = decode_keys(d);

	if (status || columns & COLUMN_KEYS_ALONE)
		return status;
	status = decode_index(d);
	return status ? status : decode_columns(d, columns);
}

static void publish(struct trace_block *block, const struct s2t_block_header *h, unsigned columns)
{
	struct s2t_storage *s = block->storage;

	*block = (struct trace_block){
		.n_records = h->n_records,
		.n_keys = h->n_keys,
		.n_events = h->n_events,
		.totals = { .records = h->n_records,
			    .events = h->n_events,
			    .instructions = h->instructions,
			    .fetches = h->fetches,
			    .loads = h->loads,
			    .stores = h->stores,
			    .splits = h->splits },
		.first_ordinal = h->first_ordinal,
		.keys = s->keys,
		.events = s->events,
		.key = s->key,
		.reads = s->reads,
		.stores = s->stores,
		.splits = s->splits,
		.first_store = s->first_store,
		.store_ordinal = s->store_ordinal,
		.ordinal = s->ordinal,
		.last_ordinal = s->last_ordinal,
		.instructions = s->instructions,
		.storage = s,
	};
	s2t_keep_columns(block, columns);
}

enum exit_status s2t_decode_block(struct trace_block *block, enum trace_granularity granularity,
				  unsigned columns, const char *path, uint64_t offset,
				  struct diag *diag)
{
	struct decoding d = {
		.block = block,
		.storage = block->storage,
		.granularity = granularity,
		.path = path,
		.offset = offset,
		.diag = diag,
	};
	enum exit_status status;

	memcpy(&d.header, d.storage->bytes, sizeof(d.header));
	status = find_sections(&d);
	if (!status && d.header.n_events)
		status = decode_events(&d);
	if (!status && d.header.n_records)
		status = decode_records(&d, columns);
	if (!status)
		publish(block, &d.header, columns);
	return status;
}

/* Narrow enough that no sum of them leaves 64 bits, which then needs no look at each. */
static bool are_narrow(const struct decoding *d)
{
	const struct s2t_section *step = &d->sections[S2T_ORDINAL];
	const struct s2t_section *reach = &d->sections[S2T_LAST_OFFSET];

	return step->encoding != S2T_CONSTANT && step->width <= 4 &&
	       reach->encoding != S2T_CONSTANT && reach->width <= 4 &&
	       d->header.first_ordinal <= INT64_MAX;
}

static enum exit_status decode_times(const struct decoding *d, struct trace_times *times)
{
	const unsigned step_bytes = d->sections[S2T_ORDINAL].width;
	const unsigned reach_bytes = d->sections[S2T_LAST_OFFSET].width;
	unsigned char *step = (unsigned char *)d->storage->ordinal;
	unsigned char *reach = (unsigned char *)d->storage->last_ordinal;
	const size_t n = d->header.n_records;
	enum exit_status status;

	if ((status = check_column(d, S2T_ORDINAL, 8)) ||
	    (status = unpack(d, S2T_ORDINAL, step, n * step_bytes)))
		return status;
	if (any_zero(step, step_bytes, n))
		return bad(d, not_in_order);
	if ((status = check_column(d, S2T_LAST_OFFSET, 8)) ||
	    (status = unpack(d, S2T_LAST_OFFSET, reach, n * reach_bytes)))
		return status;
	*times = (struct trace_times){ step, reach, step_bytes, reach_bytes, 0, 0 };
	memcpy(&times->ordinal, step, step_bytes);
	times->ordinal += d->header.first_ordinal;
	return STATUS_OK;
}

enum exit_status s2t_decode_times(struct trace_block *block, const char *path, uint64_t offset,
				  struct diag *diag)
{
	struct s2t_storage *s = block->storage;
	struct decoding d = {
		.block = block, .storage = s, .path = path, .offset = offset, .diag = diag
	};
	enum exit_status status;

	memcpy(&d.header, s->bytes, sizeof(d.header));
	status = find_sections(&d);
	if (!status && d.header.n_records && are_narrow(&d)) {
		status = decode_times(&d, &s->times);
		block->times = status ? NULL : &s->times;
		return status;
	}
	if (!status && d.header.n_records)
		status = decode_columns(&d, COLUMN_ORDINALS);
	if (!status) {
		block->ordinal = s->ordinal;
		block->last_ordinal = s->last_ordinal;
	}
	return status;
}
