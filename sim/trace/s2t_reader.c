/* SPDX-License-Identifier: BSD-2-Clause */
/* Reader of the native trace format (docs/formats.md): opening, the index, salvage. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "trace/s2t_reader.h"

struct trace_reader {
	int fd;
	char *path;
	uint64_t file_bytes;
	struct s2t_file_header header;
	char *provenance;
	struct s2t_index_entry *entries; /* sizes checked against the file */
	struct trace_info info;
	bool is_part; /* ordinals are those of the index, not those in the blocks */
};

static enum exit_status bad(const struct trace_reader *r, uint64_t offset, const char *what,
			    struct diag *diag)
{
	return diag_set(diag, STATUS_BAD_INPUT, "%s: byte %llu: %s", r->path,
			(unsigned long long)offset, what);
}

enum exit_status s2t_read_at(int fd, const char *path, uint64_t offset, void *to, size_t n,
			     struct diag *diag)
{
	unsigned char *p = to;
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, p + done, n - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return diag_set(diag, STATUS_IO, "%s: byte %llu: cannot read: %s", path,
					(unsigned long long)(offset + done), strerror(errno));
		if (got == 0)
			return diag_set(
				diag, STATUS_BAD_INPUT,
				"%s: byte %llu: the file ends here, expected %zu bytes more", path,
				(unsigned long long)(offset + done), n - done);
		done += (size_t)got;
	}
	return STATUS_OK;
}

static const char *refuse_header(const struct s2t_file_header *h, uint64_t file_bytes)
{
	if (memcmp(h->magic, S2T_MAGIC, sizeof(h->magic)) != 0)
		return "not a .s2t trace: wrong magic";
	if (h->reader_version > S2T_VERSION)
		return "a .s2t trace of a later version that this program cannot read";
	if (h->granularity != TRACE_RAW && h->granularity != TRACE_LINE_RUNS &&
	    h->granularity != TRACE_PAGE_RUNS)
		return "header: expected granularity 0, 6 or 12";
	if (h->provenance_bytes > S2T_MAX_PROVENANCE_BYTES || h->header_bytes % 8 ||
	    h->header_bytes < sizeof(*h) + h->provenance_bytes)
		return "header: its sizes contradict each other";
	if (h->header_bytes > sizeof(*h) + S2T_MAX_PROVENANCE_BYTES)
		return "header: too large";
	if (h->header_bytes > file_bytes)
		return "header: the file ends inside it";
	return NULL;
}

static enum exit_status read_header(struct trace_reader *r, struct diag *diag)
{
	struct s2t_file_header *h = &r->header;
	enum exit_status status;
	unsigned char *bytes;
	const char *wrong;
	uint64_t checksum;

	if ((status = s2t_read_at(r->fd, r->path, 0, h, sizeof(*h), diag)))
		return status;
	if ((wrong = refuse_header(h, r->file_bytes)))
		return bad(r, 0, wrong, diag);
	bytes = malloc(h->header_bytes);
	r->provenance = calloc(1, h->provenance_bytes + 1);
	if (!bytes || !r->provenance)
		status = diag_set(diag, STATUS_INTERNAL, "%s: out of memory", r->path);
	else
		status = s2t_read_at(r->fd, r->path, 0, bytes, h->header_bytes, diag);
	if (!status) {
		memcpy(r->provenance, bytes + sizeof(*h), h->provenance_bytes);
		checksum = h->checksum;
		memset(bytes + offsetof(struct s2t_file_header, checksum), 0, 8);
		if (XXH3_64bits(bytes, h->header_bytes) != checksum)
			status = bad(r, 0, "header: its checksum does not match", diag);
	}
	free(bytes);
	return status;
}

const char *s2t_refuse_block_header(const struct s2t_block_header *h, uint64_t max_bytes)
{
	if (h->magic != S2T_BLOCK_MAGIC)
		return "expected a block of records here";
	if (h->block_bytes > max_bytes)
		return "the file ends inside this block";
	if (h->n_sections > S2T_MAX_SECTIONS || h->block_bytes > S2T_MAX_BLOCK_BYTES ||
	    h->block_bytes < sizeof(*h) + h->n_sections * sizeof(struct s2t_section))
		return "this block's sizes contradict each other";
	if (h->n_records > TRACE_BLOCK_RECORDS || h->n_events > S2T_MAX_EVENTS ||
	    h->n_keys > h->n_records || (h->n_records && !h->n_keys))
		return "this block's counts are out of range";
	if (h->vcpus > S2T_MAX_OWNERS || h->vms > S2T_MAX_OWNERS)
		return "this block names more vCPUs or VMs than 16 bits can number";
	return NULL;
}

/* ---- the index ----------------------------------------------------------------------------- */

/* The blocks must lie one behind the other between header and footer. */
static const char *refuse_entries(struct trace_reader *r, uint64_t n, uint64_t footer_offset)
{
	uint64_t offset = r->header.header_bytes;

	for (uint64_t i = 0; i < n; i++) {
		const struct s2t_index_entry *e = &r->entries[i];

		if (e->offset != offset || e->block_bytes < sizeof(struct s2t_block_header) ||
		    e->block_bytes > S2T_MAX_BLOCK_BYTES || e->n_records > TRACE_BLOCK_RECORDS)
			return "footer: an entry of the index is not valid";
		offset += e->block_bytes;
		if (offset > footer_offset)
			return "footer: an entry of the index points behind the blocks";
		if (!s2t_count_entry(&r->info.totals, e))
			return "footer: its totals overflow";
	}
	return offset == footer_offset ? NULL : "footer: the index does not cover all blocks";
}

static const char *read_index(struct trace_reader *r, const unsigned char *bytes,
			      const struct s2t_trailer *trailer)
{
	struct s2t_footer_header h;
	uint64_t checksum;
	const char *wrong;

	memcpy(&h, bytes, sizeof(h));
	memcpy(&checksum, bytes + trailer->footer_bytes - 8, 8);
	if (h.magic != S2T_FOOTER_MAGIC)
		return "footer: wrong magic";
	if (XXH3_64bits(bytes, trailer->footer_bytes - 8) != checksum)
		return "footer: its checksum does not match";
	if (h.vcpus > S2T_MAX_OWNERS || h.vms > S2T_MAX_OWNERS)
		return "footer: more vCPUs or VMs than 16 bits can number";
	if (h.entry_bytes < sizeof(*r->entries) ||
	    h.n_blocks > (trailer->footer_bytes - sizeof(h) - 8) / h.entry_bytes ||
	    sizeof(h) + h.n_blocks * h.entry_bytes + 8 != trailer->footer_bytes)
		return "footer: its sizes contradict each other";
	r->entries = calloc(h.n_blocks ? h.n_blocks : 1, sizeof(*r->entries));
	if (!r->entries)
		return "footer: not enough memory for the index";
	for (uint64_t i = 0; i < h.n_blocks; i++)
		memcpy(&r->entries[i], bytes + sizeof(h) + i * h.entry_bytes, sizeof(*r->entries));
	if ((wrong = refuse_entries(r, h.n_blocks, trailer->footer_offset)))
		return wrong;
	if (s2t_digest(r->entries, h.n_blocks) != h.content_digest)
		return "footer: its digest does not match";
	r->info.blocks = h.n_blocks;
	r->info.va_bits = h.va_bits;
	r->info.ipa_bits = h.ipa_bits;
	r->info.vcpus = h.vcpus;
	r->info.vms = h.vms;
	r->info.content_digest = h.content_digest;
	return NULL;
}

static enum exit_status read_footer(struct trace_reader *r, struct diag *diag)
{
	const uint64_t least = r->header.header_bytes + sizeof(struct s2t_footer_header) + 8 +
			       sizeof(struct s2t_trailer);
	struct s2t_trailer t = { 0 };
	enum exit_status status;
	unsigned char *bytes;
	const char *wrong;

	if (r->file_bytes >= least &&
	    (status = s2t_read_at(r->fd, r->path, r->file_bytes - sizeof(t), &t, sizeof(t), diag)))
		return status;
	if (memcmp(t.magic, S2T_END_MAGIC, sizeof(t.magic)) != 0)
		return bad(r, r->file_bytes,
			   "the trace ends without its footer (interrupted or truncated); "
			   "--salvage reads what is there",
			   diag);
	if (t.footer_offset > r->file_bytes || t.footer_offset < r->header.header_bytes ||
	    t.footer_bytes < sizeof(struct s2t_footer_header) + 8 ||
	    t.footer_bytes != r->file_bytes - sizeof(t) - t.footer_offset)
		return bad(r, r->file_bytes - sizeof(t), "the trailer does not point to a footer",
			   diag);
	bytes = malloc(t.footer_bytes);
	if (!bytes)
		return diag_set(diag, STATUS_INTERNAL, "%s: out of memory", r->path);
	status = s2t_read_at(r->fd, r->path, t.footer_offset, bytes, t.footer_bytes, diag);
	if (!status && (wrong = read_index(r, bytes, &t)))
		status = bad(r, t.footer_offset, wrong, diag);
	free(bytes);
	r->info.complete = status == STATUS_OK;
	return status;
}

/* ---- salvage ------------------------------------------------------------------------------- */

static bool keep_block(struct trace_reader *r, const struct s2t_block_header *h, uint64_t offset,
		       uint64_t *max)
{
	struct trace_info *info = &r->info;

	if (info->blocks == *max) {
		uint64_t more = *max ? 2 * *max : 64;
		void *entries = realloc(r->entries, more * sizeof(*r->entries));

		if (!entries)
			return false;
		r->entries = entries;
		*max = more;
	}
	return s2t_count_block(info, &r->entries[info->blocks], h, offset);
}

/* Header and bytes of a sound block at `offset` into block->storage, or what is wrong. */
static enum exit_status load_block(const struct trace_reader *r, uint64_t offset, unsigned columns,
				   struct trace_block *block, struct s2t_block_header *h,
				   struct diag *diag)
{
	enum exit_status status = s2t_read_at(r->fd, r->path, offset, h, sizeof(*h), diag);
	unsigned char *bytes;
	const char *wrong;

	if (status)
		return status;
	if ((wrong = s2t_refuse_block_header(h, r->file_bytes - offset)))
		return bad(r, offset, wrong, diag);
	if ((status = s2t_prepare(block, h->block_bytes, columns, r->path, diag)))
		return status;
	bytes = ((struct s2t_storage *)block->storage)->bytes;
	status = s2t_read_at(r->fd, r->path, offset, bytes, h->block_bytes, diag);
	if (status)
		return status;
	if (XXH3_64bits(bytes + S2T_CHECKED_FROM, h->block_bytes - S2T_CHECKED_FROM) !=
		    h->checksum ||
	    memcmp(bytes, h, sizeof(*h)) != 0)
		return bad(r, offset, "the checksum of this block does not match", diag);
	return STATUS_OK;
}

/*
 * All sound blocks from the start on; *end says what comes behind them: STATUS_BAD_INPUT with the
 * damage, nothing if that is a footer, or the failure that is returned.
 */
static enum exit_status scan_blocks(struct trace_reader *r, struct diag *end)
{
	struct trace_block block = { 0 };
	uint64_t offset = r->header.header_bytes, max = 0;
	enum exit_status status = STATUS_OK;

	while (status == STATUS_OK) {
		struct s2t_block_header h = { 0 };

		status = load_block(r, offset, 0, &block, &h, end);
		if (status == STATUS_OK)
			status = s2t_decode_block(&block, r->info.granularity, 0, r->path, offset,
						  end);
		if (status == STATUS_OK && !keep_block(r, &h, offset, &max))
			status = diag_set(end, STATUS_INTERNAL, "%s: out of memory", r->path);
		else if (status == STATUS_BAD_INPUT && h.magic == S2T_FOOTER_MAGIC)
			*end = (struct diag)DIAG_INIT;
		offset += h.block_bytes;
	}
	trace_block_free(&block);
	r->info.content_digest = s2t_digest(r->entries, r->info.blocks);
	return status == STATUS_BAD_INPUT ? STATUS_OK : status;
}

/*
 * With a sound footer that agrees, the trace is whole after all; else *diag says what was wrong,
 * with STATUS_OK as the result.
 */
static enum exit_status salvage(struct trace_reader *r, struct diag *diag)
{
	struct diag footer = DIAG_INIT, end = DIAG_INIT;
	struct trace_info whole;
	enum exit_status status;

	if (read_footer(r, &footer) != STATUS_OK)
		r->info.complete = false;
	whole = r->info;
	free(r->entries);
	r->entries = NULL;
	r->info = (struct trace_info){
		.granularity = whole.granularity,
		.version = whole.version,
		.provenance = whole.provenance,
	};
	status = scan_blocks(r, &end);
	r->info.complete = whole.complete && r->info.blocks == whole.blocks &&
			   r->info.content_digest == whole.content_digest;
	if (end.status)
		diag_set(diag, end.status, "%s", end.text);
	else if (footer.status)
		diag_set(diag, footer.status, "%s", footer.text);
	return status;
}

/* ---- the interface ------------------------------------------------------------------------- */

static enum exit_status open_reader(struct trace_reader *r, bool salvaging, struct diag *diag)
{
	struct stat st;
	enum exit_status status;

	if (fstat(r->fd, &st) != 0)
		return diag_set(diag, STATUS_IO, "%s: %s", r->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return diag_set(diag, STATUS_BAD_INPUT, "%s: not a regular file", r->path);
	r->file_bytes = (uint64_t)st.st_size;
	if ((status = read_header(r, diag)))
		return status;
	r->info.granularity = r->header.granularity;
	r->info.version = r->header.version;
	r->info.provenance = r->provenance;
	status = salvaging ? salvage(r, diag) : read_footer(r, diag);
	r->info.has_ipa = r->info.ipa_bits > 0;
	/* The header of an interrupted trace does not know yet. */
	r->info.has_forks = r->header.reader_version >= S2T_VERSION_FORKS || !r->info.complete;
	return status;
}

struct trace_reader *trace_open_fd(int fd, const char *name, bool salvaging, struct diag *diag)
{
	struct trace_reader *r = calloc(1, sizeof(*r));

	if (r)
		r->path = strdup(name);
	if (!r || !r->path) {
		close(fd);
		free(r);
		diag_set(diag, STATUS_INTERNAL, "%s: out of memory", name);
		return NULL;
	}
	r->fd = fd;
	if (open_reader(r, salvaging, diag) != STATUS_OK) {
		trace_close(r);
		return NULL;
	}
	return r;
}

struct trace_reader *trace_open(const char *path, bool salvaging, struct diag *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		diag_set(diag, errno == ENOENT ? STATUS_NO_INPUT : STATUS_IO, "%s: %s", path,
			 strerror(errno));
		return NULL;
	}
	return trace_open_fd(fd, path, salvaging, diag);
}

void trace_close(struct trace_reader *r)
{
	if (!r)
		return;
	close(r->fd);
	free(r->path);
	free(r->provenance);
	free(r->entries);
	free(r);
}

/* The entries of these blocks, as if they followed each other. */
static enum exit_status take_entries(struct trace_reader *r, const struct trace_reader *whole,
				     const uint64_t *blocks, size_t n, struct diag *diag)
{
	for (size_t i = 0; i < n; i++) {
		const struct trace_totals *sum = &r->info.totals;
		struct s2t_index_entry *e = &r->entries[i];

		*e = whole->entries[blocks[i]];
		e->first_ordinal = trace_accesses(sum) + sum->splits;
		if (!s2t_count_entry(&r->info.totals, e))
			return bad(r, e->offset, "the totals of this part overflow", diag);
	}
	return STATUS_OK;
}

struct trace_reader *trace_part(const struct trace_reader *whole, const uint64_t *blocks, size_t n,
				struct diag *diag)
{
	struct trace_reader *r = calloc(1, sizeof(*r));
	enum exit_status status = STATUS_OK;

	if (r) {
		*r = *whole;
		r->is_part = true;
		r->fd = dup(whole->fd);
		r->path = strdup(whole->path);
		r->provenance = strdup(whole->provenance);
		r->entries = calloc(n + 1, sizeof(*r->entries));
		r->info.provenance = r->provenance;
		r->info.blocks = n;
		r->info.totals = (struct trace_totals){ 0 };
	}
	if (!r || r->fd < 0 || !r->path || !r->provenance || !r->entries)
		status = diag_set(diag, STATUS_INTERNAL, "%s: out of memory", whole->path);
	if (status == STATUS_OK)
		status = take_entries(r, whole, blocks, n, diag);
	if (status == STATUS_OK)
		return r;
	trace_close(r);
	return NULL;
}

const struct trace_info *trace_info(const struct trace_reader *r)
{
	return &r->info;
}

void s2t_mark_incomplete(struct trace_reader *r)
{
	r->info.complete = false;
}

const char *trace_path(const struct trace_reader *r)
{
	return r->path;
}

struct trace_totals trace_block_totals(const struct trace_reader *r, uint64_t index)
{
	const struct s2t_index_entry *e = &r->entries[index];

	return (struct trace_totals){
		.records = e->n_records,
		.events = e->n_events,
		.instructions = e->instructions,
		.fetches = e->fetches,
		.loads = e->loads,
		.stores = e->stores,
		.splits = e->splits,
	};
}

uint64_t trace_block_ordinal(const struct trace_reader *r, uint64_t index)
{
	return index < r->info.blocks ? r->entries[index].first_ordinal
				      : trace_accesses(&r->info.totals) + r->info.totals.splits;
}

enum exit_status trace_read_block(const struct trace_reader *r, uint64_t index, unsigned columns,
				  struct trace_block *block, struct diag *diag)
{
	const struct s2t_index_entry *e;
	struct s2t_block_header h;
	enum exit_status status;

	if (index >= r->info.blocks)
		return diag_set(diag, STATUS_INTERNAL, "%s: no block %llu", r->path,
				(unsigned long long)index);
	e = &r->entries[index];
	if ((status = load_block(r, e->offset, columns, block, &h, diag)))
		return status;
	if (h.checksum != e->checksum || h.block_bytes != e->block_bytes ||
	    h.n_records != e->n_records)
		return bad(r, e->offset, "this block is not the one that the index names", diag);
	if (r->is_part)
		memcpy(((struct s2t_storage *)block->storage)->bytes +
			       offsetof(struct s2t_block_header, first_ordinal),
		       &e->first_ordinal, sizeof(e->first_ordinal));
	return s2t_decode_block(block, r->info.granularity, columns, r->path, e->offset, diag);
}

enum exit_status trace_read_times(const struct trace_reader *r, uint64_t index,
				  struct trace_block *block, struct diag *diag)
{
	const struct s2t_index_entry *e = &r->entries[index];
	const enum exit_status status =
		s2t_prepare(block, e->block_bytes, COLUMN_ORDINALS, r->path, diag);

	return status ? status : s2t_decode_times(block, r->path, e->offset, diag);
}
