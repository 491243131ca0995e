/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/s2t_repair.h"

#include <string.h>

#include <xxhash.h>

#include "trace/s2t.h"

static size_t repair_header(uint8_t *p, size_t n)
{
	struct s2t_file_header h;

	if (n < sizeof(h))
		return n;
	memcpy(&h, p, sizeof(h));
	if (h.header_bytes < sizeof(h) || h.header_bytes > n)
		return n;
	h.checksum = 0;
	memcpy(p, &h, sizeof(h));
	h.checksum = XXH3_64bits(p, h.header_bytes);
	memcpy(p, &h, sizeof(h));
	return h.header_bytes;
}

static void repair_blocks(uint8_t *p, size_t n, size_t at)
{
	struct s2t_block_header h;

	while (at < n && n - at >= sizeof(h)) {
		memcpy(&h, p + at, sizeof(h));
		if (h.magic != S2T_BLOCK_MAGIC || h.block_bytes < sizeof(h) ||
		    h.block_bytes > n - at)
			return;
		h.checksum =
			XXH3_64bits(p + at + S2T_CHECKED_FROM, h.block_bytes - S2T_CHECKED_FROM);
		memcpy(p + at, &h, sizeof(h));
		at += h.block_bytes;
	}
}

/* The index names the checksums of the blocks; a digest and a checksum of its own cover it. */
static void repair_index(uint8_t *footer, size_t n, const uint8_t *p, size_t n_file)
{
	struct s2t_index_entry entries[64];
	struct s2t_footer_header h;
	uint64_t count = 0, checksum;

	memcpy(&h, footer, sizeof(h));
	if (h.entry_bytes != sizeof(entries[0]))
		return;
	for (size_t at = sizeof(h); n - 8 - at >= sizeof(entries[0]) && count < 64; count++) {
		struct s2t_index_entry *e = &entries[count];
		struct s2t_block_header block;

		memcpy(e, footer + at, sizeof(*e));
		if (e->offset <= n_file && n_file - e->offset >= sizeof(block)) {
			memcpy(&block, p + e->offset, sizeof(block));
			e->checksum = block.checksum;
		}
		memcpy(footer + at, e, sizeof(*e));
		at += sizeof(*e);
	}
	h.content_digest = s2t_digest(entries, count);
	memcpy(footer, &h, sizeof(h));
	checksum = XXH3_64bits(footer, n - 8);
	memcpy(footer + n - 8, &checksum, 8);
}

void s2t_repair(uint8_t *p, size_t n)
{
	const size_t header_bytes = repair_header(p, n);
	struct s2t_trailer t;

	repair_blocks(p, n, header_bytes);
	if (n < header_bytes + sizeof(t))
		return;
	memcpy(&t, p + n - sizeof(t), sizeof(t));
	if (t.footer_bytes < sizeof(struct s2t_footer_header) + 8 ||
	    t.footer_bytes > n - sizeof(t) || t.footer_offset != n - sizeof(t) - t.footer_bytes)
		return;
	repair_index(p + t.footer_offset, (size_t)t.footer_bytes, p, n);
}
