/* SPDX-License-Identifier: BSD-2-Clause */
/* From gathered records to the sections of one block (docs/formats.md). */
#include "trace/s2t_writer.h"

static unsigned width_of(uint64_t max)
{
	return max <= UINT8_MAX ? 1 : max <= UINT16_MAX ? 2 : max <= UINT32_MAX ? 4 : 8;
}

/* `data` as a section, compressed if that saves at least a sixteenth. */
static enum exit_status put_section(struct trace_writer *w, struct s2t_section section,
				    const void *data, size_t n, struct diag *diag)
{
	unsigned char *to = w->out + w->out_used;
	size_t got = ZSTD_compressCCtx(w->cctx, to, S2T_OUT_BYTES - w->out_used, data, n, w->level);

	if (ZSTD_isError(got))
		return s2t_writer_fail(w, diag, STATUS_INTERNAL, ZSTD_getErrorName(got), 0);
	section.encoding = S2T_ZSTD;
	if (got > n - n / 16) {
		memcpy(to, data, n);
		section.encoding = S2T_STORED;
		got = n;
	}
	section.stored_bytes = (uint32_t)got;
	w->out_used += got;
	w->sections[w->block.n_sections++] = section;
	return STATUS_OK;
}

/* A column of integers in the narrowest width, or as a constant. */
static enum exit_status put_column(struct trace_writer *w, enum s2t_section_type type,
				   const uint64_t *values, size_t n, struct diag *diag)
{
	struct s2t_section section = { .type = (uint16_t)type };
	uint64_t any = 0, differs = 0;

	for (size_t i = 0; i < n; i++) {
		any |= values[i];
		differs |= values[i] ^ values[0];
	}
	section.width = (uint8_t)width_of(any);
	if (!differs) {
		section.encoding = S2T_CONSTANT;
		section.value = n ? values[0] : 0;
		w->sections[w->block.n_sections++] = section;
		return STATUS_OK;
	}
	for (size_t i = 0; i < n; i++)
		memcpy(w->scratch + i * section.width, &values[i], section.width);
	return put_section(w, section, w->scratch, n * section.width, diag);
}

static enum exit_status put_column32(struct trace_writer *w, enum s2t_section_type type,
				     const uint32_t *values, size_t n, struct diag *diag)
{
	for (size_t i = 0; i < n; i++)
		w->wide[i] = values[i];
	return put_column(w, type, w->wide, n, diag);
}

/*
 * Addresses as differences: the first value, then those byte planes of the differences that are
 * not all zero. Changes `values`.
 */
static enum exit_status put_planes(struct trace_writer *w, enum s2t_section_type type,
				   uint64_t *values, size_t n, struct diag *diag)
{
	struct s2t_section section = { .type = (uint16_t)type, .width = 8 };
	unsigned char *p = w->scratch + 8;
	uint64_t any = 0;

	memcpy(w->scratch, &values[0], 8);
	for (size_t i = n - 1; i > 0; i--) {
		values[i] -= values[i - 1];
		any |= values[i];
	}
	values[0] = 0;
	for (unsigned plane = 0; plane < 8; plane++) {
		if (!(any >> (8 * plane) & 0xff))
			continue;
		section.value |= 1u << plane;
		for (size_t i = 0; i < n; i++)
			*p++ = (unsigned char)(values[i] >> (8 * plane));
	}
	return put_section(w, section, w->scratch, (size_t)(p - w->scratch), diag);
}

/* One pass of a radix sort over 8 bits of the keys; false if they are the same in all. */
static bool sort_pass(const uint64_t *value, const uint32_t *from, uint32_t *to, size_t n,
		      unsigned shift)
{
	uint32_t count[256] = { 0 }, at = 0;

	for (size_t i = 0; i < n; i++)
		count[value[i] >> shift & 0xff]++;
	if (count[value[0] >> shift & 0xff] == n)
		return false;
	for (size_t i = 0; i < 256; i++) {
		uint32_t here = count[i];

		count[i] = at;
		at += here;
	}
	for (size_t i = 0; i < n; i++)
		to[count[value[from[i]] >> shift & 0xff]++] = from[i];
	return true;
}

static void sort_by(struct trace_writer *w, const uint64_t *value, size_t n)
{
	for (unsigned shift = 0; shift < 64; shift += 8) {
		if (sort_pass(value, w->order, w->order2, n, shift)) {
			uint32_t *swap = w->order;

			w->order = w->order2;
			w->order2 = swap;
		}
	}
}

/* Neighbouring addresses side by side: that is what makes the differences small. */
static void sort_keys(struct trace_writer *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		w->order[i] = (uint32_t)i;
	for (size_t i = 0; i < n; i++)
		w->wide[i] = w->keys[i].va;
	sort_by(w, w->wide, n);
	for (size_t i = 0; i < n; i++)
		w->wide[i] = s2t_key_owner(&w->keys[i]);
	sort_by(w, w->wide, n);
	for (size_t i = 0; i < n; i++) {
		w->sorted_keys[i] = w->keys[w->order[i]];
		w->rank[w->order[i]] = (uint16_t)i;
	}
	for (size_t i = 0; i < w->block.n_records; i++)
		w->index[i] = w->rank[w->index[i]];
}

static enum exit_status put_keys(struct trace_writer *w, struct diag *diag)
{
	const size_t n = w->block.n_keys;
	const struct trace_key *keys = w->sorted_keys;
	enum exit_status status;

	sort_keys(w, n);
	for (size_t i = 0; i < n; i++)
		w->wide[i] = keys[i].va >> w->granularity;
	status = put_planes(w, S2T_KEY_VA, w->wide, n, diag);
	for (size_t i = 0; i < n; i++)
		w->wide[i] = keys[i].ipa == TRACE_IPA_UNKNOWN ? TRACE_IPA_UNKNOWN
							      : keys[i].ipa >> w->granularity;
	status = status ? status : put_planes(w, S2T_KEY_IPA, w->wide, n, diag);
	for (size_t i = 0; i < n; i++)
		w->wide[i] = keys[i].vcpu;
	status = status ? status : put_column(w, S2T_KEY_VCPU, w->wide, n, diag);
	for (size_t i = 0; i < n; i++)
		w->wide[i] = keys[i].vm;
	status = status ? status : put_column(w, S2T_KEY_VM, w->wide, n, diag);
	for (size_t i = 0; i < n; i++)
		w->wide[i] = keys[i].asid;
	status = status ? status : put_column(w, S2T_KEY_ASID, w->wide, n, diag);
	for (size_t i = 0; i < n; i++)
		w->wide[i] = s2t_key_flags(&keys[i]);
	return status ? status : put_column(w, S2T_KEY_FLAGS, w->wide, n, diag);
}

static enum exit_status put_records(struct trace_writer *w, struct diag *diag)
{
	const size_t n = w->block.n_records;
	enum exit_status status = put_keys(w, diag);

	for (size_t i = 0; i < n; i++)
		w->wide[i] = w->index[i];
	status = status ? status : put_column(w, S2T_INDEX, w->wide, n, diag);
	status = status ? status : put_column32(w, S2T_READS, w->reads, n, diag);
	status = status ? status : put_column32(w, S2T_STORES, w->stores, n, diag);
	status = status ? status : put_column32(w, S2T_SPLITS, w->splits, n, diag);
	status = status ? status : put_column(w, S2T_STORE_OFFSET, w->store_offset, n, diag);
	for (size_t i = n - 1; i > 0; i--)
		w->ordinal[i] -= w->ordinal[i - 1];
	w->ordinal[0] = 0;
	status = status ? status : put_column(w, S2T_ORDINAL, w->ordinal, n, diag);
	status = status ? status : put_column(w, S2T_LAST_OFFSET, w->last_offset, n, diag);
	return status ? status : put_column32(w, S2T_INSTRUCTIONS, w->instructions, n, diag);
}

enum exit_status s2t_encode_block(struct trace_writer *w, struct diag *diag)
{
	struct s2t_section events = { .type = S2T_EVENTS, .width = sizeof(struct s2t_event) };
	enum exit_status status = STATUS_OK;

	if (w->block.n_records)
		status = put_records(w, diag);
	if (!status && w->block.n_events)
		status = put_section(w, events, w->events, w->block.n_events * sizeof(*w->events),
				     diag);
	return status;
}
