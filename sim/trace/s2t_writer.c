/* SPDX-License-Identifier: BSD-2-Clause */
/* Writer of the native trace format (docs/formats.md). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "trace/beside.h"
#include "trace/s2t_writer.h"

static void free_writer(struct trace_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	ZSTD_freeCCtx(w->cctx);
	void *const owned[] = {
		w->path,	w->temp_path,	 w->provenance, w->entries,	 w->out,
		w->scratch,	w->wide,	 w->slots,	w->keys,	 w->sorted_keys,
		w->events,	w->order,	 w->order2,	w->index,	 w->rank,
		w->reads,	w->stores,	 w->splits,	w->instructions, w->ordinal,
		w->last_offset, w->store_offset,
	};
	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
		free(owned[i]);
	free(w);
}

static bool allocate_writer(struct trace_writer *w)
{
	const size_t n = TRACE_BLOCK_RECORDS;

	w->cctx = ZSTD_createCCtx();
	w->out = malloc(S2T_OUT_BYTES);
	w->scratch = malloc(S2T_SCRATCH_BYTES);
	w->wide = malloc(n * sizeof(*w->wide));
	w->slots = calloc(S2T_SLOTS, sizeof(*w->slots));
	w->keys = malloc(n * sizeof(*w->keys));
	w->sorted_keys = malloc(n * sizeof(*w->sorted_keys));
	w->events = malloc(S2T_MAX_EVENTS * sizeof(*w->events));
	w->order = malloc(n * sizeof(*w->order));
	w->order2 = malloc(n * sizeof(*w->order2));
	w->index = malloc(n * sizeof(*w->index));
	w->rank = malloc(n * sizeof(*w->rank));
	w->reads = malloc(n * sizeof(*w->reads));
	w->stores = malloc(n * sizeof(*w->stores));
	w->splits = malloc(n * sizeof(*w->splits));
	w->instructions = malloc(n * sizeof(*w->instructions));
	w->ordinal = malloc(n * sizeof(*w->ordinal));
	w->last_offset = malloc(n * sizeof(*w->last_offset));
	w->store_offset = malloc(n * sizeof(*w->store_offset));
	return w->cctx && w->out && w->scratch && w->wide && w->slots && w->keys &&
	       w->sorted_keys && w->events && w->order && w->order2 && w->index && w->rank &&
	       w->reads && w->stores && w->splits && w->instructions && w->ordinal &&
	       w->last_offset && w->store_offset;
}

enum exit_status s2t_writer_fail(struct trace_writer *w, struct diag *diag, enum exit_status status,
				 const char *what, int error)
{
	if (w->failure.status == STATUS_OK)
		diag_set(&w->failure, status, "%s: byte %llu: %s%s%s", w->path,
			 (unsigned long long)w->offset, what, error ? ": " : "",
			 error ? strerror(error) : "");
	return diag_set(diag, w->failure.status, "%s", w->failure.text);
}

/* All of `n` bytes at the end of the file, or a failure with the file cut back to whole blocks. */
static enum exit_status append(struct trace_writer *w, const void *data, size_t n,
			       struct diag *diag)
{
	const unsigned char *p = data;
	size_t done = 0;

	while (done < n) {
		ssize_t got = pwrite(w->fd, p + done, n - done, (off_t)(w->offset + done));
		int error = errno;

		if (got < 0 && error == EINTR)
			continue;
		if (got <= 0) {
			if (ftruncate(w->fd, (off_t)w->offset) != 0)
				error = error ? error : errno;
			return s2t_writer_fail(w, diag, STATUS_IO, "cannot write the trace", error);
		}
		done += (size_t)got;
	}
	w->offset += n;
	return STATUS_OK;
}

static uint64_t header_checksum(struct s2t_file_header *header, const char *provenance,
				unsigned char *bytes)
{
	header->checksum = 0;
	memset(bytes, 0, header->header_bytes);
	memcpy(bytes, header, sizeof(*header));
	if (provenance)
		memcpy(bytes + sizeof(*header), provenance, header->provenance_bytes);
	header->checksum = XXH3_64bits(bytes, header->header_bytes);
	memcpy(bytes, header, sizeof(*header));
	return header->checksum;
}

static enum exit_status write_header(struct trace_writer *w, const char *provenance,
				     struct diag *diag)
{
	size_t n = provenance ? strlen(provenance) : 0;

	if (n > S2T_MAX_PROVENANCE_BYTES)
		return s2t_writer_fail(w, diag, STATUS_BAD_INPUT, "provenance longer than 1 MiB",
				       0);
	memcpy(w->header.magic, S2T_MAGIC, sizeof(w->header.magic));
	w->header.version = S2T_VERSION_PLAIN;
	w->header.reader_version = S2T_VERSION_PLAIN;
	w->header.granularity = (uint8_t)w->granularity;
	w->header.provenance_bytes = (uint32_t)n;
	w->header.header_bytes = (uint32_t)(sizeof(w->header) + ((n + 7) & ~(size_t)7));
	w->provenance = provenance ? strdup(provenance) : NULL;
	if (provenance && !w->provenance)
		return s2t_writer_fail(w, diag, STATUS_INTERNAL, "out of memory", 0);
	header_checksum(&w->header, w->provenance, w->out);
	return append(w, w->out, w->header.header_bytes, diag);
}

static struct trace_writer *create(int fd, const char *path, char *temp_path, bool named,
				   const struct trace_writer_options *options, struct diag *diag)
{
	struct trace_writer *w = calloc(1, sizeof(*w));

	if (!w) {
		close(fd);
		free(temp_path);
		diag_set(diag, STATUS_INTERNAL, "%s: out of memory", path);
		return NULL;
	}
	w->fd = fd;
	w->temp_path = temp_path;
	w->path = strdup(path);
	w->named = named;
	w->granularity = options->granularity;
	w->level = options->zstd_level ? options->zstd_level : S2T_DEFAULT_LEVEL;
	if (!w->path || !allocate_writer(w)) {
		diag_set(diag, STATUS_INTERNAL, "%s: out of memory", path);
		trace_abandon(w);
		return NULL;
	}
	if (write_header(w, options->provenance, diag) != STATUS_OK) {
		trace_abandon(w);
		return NULL;
	}
	return w;
}

struct trace_writer *trace_create_fd(int fd, const char *name,
				     const struct trace_writer_options *options, struct diag *diag)
{
	return create(fd, name, NULL, false, options, diag);
}

struct trace_writer *trace_create(const char *path, const struct trace_writer_options *options,
				  struct diag *diag)
{
	char *temp_path = NULL, *target = beside_target(path);
	struct trace_writer *writer = NULL;
	struct stat st;
	/* Never rename over, nor remove, what is not an ordinary file: /dev/full, a pipe. */
	const bool special = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
	int fd = -1;

	if (special)
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	else if (target)
		fd = options->atomic ? beside_open(target, &temp_path)
				     : open(target, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd >= 0) {
		writer = create(fd, target ? target : path, temp_path, !special, options, diag);
	} else {
		diag_set(diag, STATUS_IO, "%s: cannot create: %s", path, strerror(errno));
		free(temp_path);
	}
	free(target);
	return writer;
}

static enum exit_status add_entry(struct trace_writer *w, uint64_t offset, struct diag *diag)
{
	if (w->n_entries == w->max_entries) {
		uint64_t max = w->max_entries ? 2 * w->max_entries : 64;
		void *entries = realloc(w->entries, max * sizeof(*w->entries));

		if (!entries)
			return s2t_writer_fail(w, diag, STATUS_INTERNAL, "out of memory", 0);
		w->entries = entries;
		w->max_entries = max;
	}
	if (!s2t_count_block(&w->info, &w->entries[w->n_entries], &w->block, offset))
		return s2t_writer_fail(w, diag, STATUS_INTERNAL, "the totals overflow", 0);
	w->n_entries++;
	return STATUS_OK;
}

/* Header and section table go in front of the sections, in room left for the largest table. */
static enum exit_status write_block(struct trace_writer *w, struct diag *diag)
{
	struct s2t_block_header *b = &w->block;
	size_t table_bytes = b->n_sections * sizeof(w->sections[0]);
	unsigned char *start = w->out + sizeof(w->sections) - table_bytes;
	const uint64_t offset = w->offset;
	enum exit_status status;

	b->magic = S2T_BLOCK_MAGIC;
	b->block_bytes = (uint32_t)(w->out + w->out_used - start);
	memcpy(start + sizeof(*b), w->sections, table_bytes);
	memcpy(start, b, sizeof(*b));
	b->checksum = XXH3_64bits(start + S2T_CHECKED_FROM, b->block_bytes - S2T_CHECKED_FROM);
	memcpy(start, b, sizeof(*b));
	status = append(w, start, b->block_bytes, diag);
	return status ? status : add_entry(w, offset, diag);
}

static enum exit_status flush_block(struct trace_writer *w, struct diag *diag)
{
	enum exit_status status;

	if (w->block.n_records == 0 && w->block.n_events == 0)
		return STATUS_OK;
	w->out_used = sizeof(struct s2t_block_header) + sizeof(w->sections);
	status = s2t_encode_block(w, diag);
	if (!status)
		status = write_block(w, diag);
	memset(&w->block, 0, sizeof(w->block));
	memset(w->slots, 0, S2T_SLOTS * sizeof(*w->slots));
	return status;
}

/* ---- records ------------------------------------------------------------------------------- */

static bool same_key(const struct trace_key *a, const struct trace_key *b)
{
	return a->va == b->va && a->ipa == b->ipa && s2t_key_owner(a) == s2t_key_owner(b);
}

static void count_key(struct s2t_block_header *b, const struct trace_key *key)
{
	unsigned va_bits = s2t_va_bits(key->va);
	unsigned ipa_bits = key->ipa == TRACE_IPA_UNKNOWN ? 0 : s2t_va_bits(key->ipa);

	if (va_bits > b->va_bits)
		b->va_bits = (uint8_t)va_bits;
	if (ipa_bits > b->ipa_bits)
		b->ipa_bits = (uint8_t)ipa_bits;
	if (key->vcpu >= b->vcpus)
		b->vcpus = key->vcpu + 1u;
	if (key->vm >= b->vms)
		b->vms = key->vm + 1u;
}

static uint16_t find_key(struct trace_writer *w, const struct trace_key *key)
{
	uint64_t hash = (key->va >> w->granularity) * UINT64_C(0x9e3779b97f4a7c15);
	size_t slot;

	hash ^= (key->ipa ^ s2t_key_owner(key)) * UINT64_C(0xc2b2ae3d27d4eb4f);
	hash = (hash ^ hash >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	slot = hash >> (64 - S2T_SLOT_BITS);
	while (w->slots[slot]) {
		uint32_t index = w->slots[slot] - 1;

		if (same_key(&w->keys[index], key))
			return (uint16_t)index;
		slot = (slot + 1) & (S2T_SLOTS - 1);
	}
	count_key(&w->block, key);
	w->keys[w->block.n_keys] = *key;
	w->slots[slot] = ++w->block.n_keys;
	return (uint16_t)(w->block.n_keys - 1);
}

/* NULL, or what is wrong with `run`. */
static const char *refuse_run(const struct trace_writer *w, const struct trace_run *run)
{
	const struct trace_key *key = &run->key;
	uint64_t unit_mask = (UINT64_C(1) << w->granularity) - 1;

	if (key->va & unit_mask || (key->ipa != TRACE_IPA_UNKNOWN && key->ipa & unit_mask))
		return "address of a run not aligned to its unit";
	if (key->el > 3 || key->stream > 1 || key->device > 1 || key->size_log2 > 15)
		return "key of a run out of range";
	if (run->ordinal < w->next_ordinal || run->last_ordinal < run->ordinal)
		return "runs not in order of their first access";
	if (run->store_ordinal < run->ordinal ||
	    (run->store_ordinal > run->last_ordinal && run->store_ordinal != UINT64_MAX))
		return "first store of a run outside it";
	return NULL;
}

enum exit_status trace_put_run(struct trace_writer *w, const struct trace_run *run,
			       struct diag *diag)
{
	struct s2t_block_header *b = &w->block;
	const char *wrong = refuse_run(w, run);

	if (w->failure.status != STATUS_OK)
		return diag_set(diag, w->failure.status, "%s", w->failure.text);
	if (wrong)
		return s2t_writer_fail(w, diag, STATUS_INTERNAL, wrong, 0);
	if (b->n_records == TRACE_BLOCK_RECORDS) {
		enum exit_status status = flush_block(w, diag);

		if (status)
			return status;
	}
	const uint32_t i = b->n_records;

	if (i == 0)
		b->first_ordinal = run->ordinal;
	w->index[i] = find_key(w, &run->key);
	w->reads[i] = run->reads;
	w->stores[i] = run->stores;
	w->splits[i] = run->splits;
	w->instructions[i] = run->instructions;
	w->ordinal[i] = run->ordinal;
	w->last_offset[i] = run->last_ordinal - run->ordinal;
	w->store_offset[i] =
		run->store_ordinal == UINT64_MAX ? 0 : run->store_ordinal - run->ordinal + 1;
	w->next_ordinal = run->ordinal + 1;
	b->instructions += run->instructions;
	b->stores += run->stores;
	b->splits += run->splits;
	if (run->key.stream == STREAM_FETCH)
		b->fetches += run->reads;
	else
		b->loads += run->reads;
	b->n_records++;
	return STATUS_OK;
}

enum exit_status trace_put_event(struct trace_writer *w, const struct trace_event *event,
				 struct diag *diag)
{
	struct s2t_block_header *b = &w->block;

	if (w->failure.status != STATUS_OK)
		return diag_set(diag, w->failure.status, "%s", w->failure.text);
	if (event->type < EVENT_CONTEXT_SWITCH || event->type > EVENT_FORK)
		return s2t_writer_fail(w, diag, STATUS_INTERNAL, "unknown type of event", 0);
	if (event->type == EVENT_FORK) {
		if (event->args[0] > UINT16_MAX)
			return s2t_writer_fail(w, diag, STATUS_INTERNAL,
					       "a fork event names no ASID", 0);
		w->header.version = S2T_VERSION_FORKS;
		w->header.reader_version = S2T_VERSION_FORKS;
	}
	if (b->n_events == S2T_MAX_EVENTS) {
		enum exit_status status = flush_block(w, diag);

		if (status)
			return status;
	}
	w->events[b->n_events++] = (struct s2t_event){
		.before = b->n_records,
		.type = event->type,
		.vcpu = event->vcpu,
		.vm = event->vm,
		.asid = event->asid,
		.args = { event->args[0], event->args[1] },
	};
	if (event->vcpu >= b->vcpus)
		b->vcpus = event->vcpu + 1u;
	if (event->vm >= b->vms)
		b->vms = event->vm + 1u;
	return STATUS_OK;
}

/* ---- the end ------------------------------------------------------------------------------- */

static enum exit_status write_footer(struct trace_writer *w, uint64_t digest, struct diag *diag)
{
	const size_t entries_bytes = w->n_entries * sizeof(*w->entries);
	const size_t n = sizeof(struct s2t_footer_header) + entries_bytes + 8;
	unsigned char *bytes = malloc(n + sizeof(struct s2t_trailer));
	struct s2t_footer_header header = {
		.magic = S2T_FOOTER_MAGIC,
		.entry_bytes = sizeof(*w->entries),
		.n_blocks = w->n_entries,
		.va_bits = (uint8_t)w->info.va_bits,
		.ipa_bits = (uint8_t)w->info.ipa_bits,
		.vcpus = w->info.vcpus,
		.vms = w->info.vms,
		.content_digest = digest,
	};
	struct s2t_trailer trailer = { .footer_offset = w->offset, .footer_bytes = n };
	enum exit_status status;
	uint64_t checksum;

	if (!bytes)
		return s2t_writer_fail(w, diag, STATUS_INTERNAL, "out of memory", 0);
	memcpy(trailer.magic, S2T_END_MAGIC, sizeof(trailer.magic));
	memcpy(bytes, &header, sizeof(header));
	if (entries_bytes)
		memcpy(bytes + sizeof(header), w->entries, entries_bytes);
	checksum = XXH3_64bits(bytes, n - 8);
	memcpy(bytes + n - 8, &checksum, 8);
	memcpy(bytes + n, &trailer, sizeof(trailer));
	status = append(w, bytes, n + sizeof(trailer), diag);
	free(bytes);
	return status;
}

/* The address sizes are known only now. 64 bytes at the start: one sector, never torn. */
static enum exit_status rewrite_header(struct trace_writer *w, struct diag *diag)
{
	w->header.va_bits = (uint8_t)w->info.va_bits;
	w->header.ipa_bits = (uint8_t)w->info.ipa_bits;
	header_checksum(&w->header, w->provenance, w->out);
	if (pwrite(w->fd, &w->header, sizeof(w->header), 0) != (ssize_t)sizeof(w->header))
		return s2t_writer_fail(w, diag, STATUS_IO, "cannot write the header", errno);
	return STATUS_OK;
}

static enum exit_status commit(struct trace_writer *w, struct diag *diag)
{
	if (w->named && fsync(w->fd) != 0 && errno != EINVAL && errno != EROFS)
		return s2t_writer_fail(w, diag, STATUS_IO, "cannot sync the trace", errno);
	if (w->temp_path && beside_name(w->fd, w->temp_path) != 0)
		return s2t_writer_fail(w, diag, STATUS_IO, "cannot name the finished trace", errno);
	int fd = w->fd;

	w->fd = -1;
	if (close(fd) != 0)
		return s2t_writer_fail(w, diag, STATUS_IO, "cannot close the trace", errno);
	if (w->temp_path && rename(w->temp_path, w->path) != 0)
		return s2t_writer_fail(w, diag, STATUS_IO, "cannot rename the finished trace",
				       errno);
	return STATUS_OK;
}

enum exit_status trace_finish(struct trace_writer *w, struct trace_info *info, struct diag *diag)
{
	enum exit_status status = w->failure.status;
	uint64_t digest = 0;

	if (status)
		diag_set(diag, status, "%s", w->failure.text);
	else
		status = flush_block(w, diag);
	if (!status) {
		digest = s2t_digest(w->entries, w->n_entries);
		status = write_footer(w, digest, diag);
	}
	status = status ? status : rewrite_header(w, diag);
	status = status ? status : commit(w, diag);
	if (info) {
		*info = w->info;
		info->granularity = w->granularity;
		info->version = w->header.version;
		info->has_forks = w->header.reader_version >= S2T_VERSION_FORKS;
		info->has_ipa = w->info.ipa_bits > 0;
		info->complete = status == STATUS_OK;
		info->content_digest = digest;
	}
	if (status && w->temp_path)
		(void)unlink(w->temp_path);
	free_writer(w);
	return status;
}

void trace_abandon(struct trace_writer *w)
{
	if (w->named)
		(void)unlink(w->temp_path ? w->temp_path : w->path);
	free_writer(w);
}
