/* SPDX-License-Identifier: BSD-2-Clause */
/* Random set-ups that fit into the machine's memory. */
#include <inttypes.h>
#include <string.h>

#include "kvm_live.h"

#define KIB(n)	     ((uint64_t)(n) << 10)
#define MIB(n)	     ((uint64_t)(n) << 20)
#define GIB(n)	     ((uint64_t)(n) << 30)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ACCESSES_MAX 96

/* A backing, the size of its largest block, and how large a slot the machine can back with it. */
struct material {
	const char *name;
	uint64_t block_bytes, bytes_max;
};

static const struct material material_4k[] = {
	{ "anon", KIB(4), MIB(256) },	 { "thp", MIB(2), MIB(256) },
	{ "htlb16", KIB(64), MIB(64) },	 { "htlb21", MIB(2), MIB(256) },
	{ "htlb25", MIB(32), MIB(128) }, { "htlb30", GIB(1), MIB(1536) },
};

static const struct material material_16k[] = {
	{ "anon", KIB(16), MIB(256) },	 { "thp", MIB(32), MIB(512) },
	{ "htlb21", MIB(2), MIB(256) },	 { "htlb25", MIB(32), MIB(128) },
	{ "htlb30", GIB(1), MIB(1536) },
};

/* SplitMix64. */
static uint64_t next(struct random_host *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t below(struct random_host *r, uint64_t bound)
{
	return next(r) % bound;
}

static bool percent(struct random_host *r, unsigned chance)
{
	return below(r, 100) < chance;
}

/* A power of two from `low` to `high`, both powers of two. */
static uint64_t power(struct random_host *r, uint64_t low, uint64_t high)
{
	const unsigned steps = (unsigned)__builtin_ctzll(high / low) + 1;

	return low << below(r, steps);
}

static uint64_t slot_bytes(struct random_host *r, const struct material *of)
{
	const uint64_t bytes = power(r, r->page_bytes, GIB(1));
	const uint64_t odd = percent(r, 30) ? below(r, 64) * r->page_bytes : 0;
	const uint64_t large = percent(r, 50) ? of->block_bytes * (1 + below(r, 8)) : bytes;

	return (large > of->bytes_max ? of->bytes_max : large) + odd;
}

/* From 1G on, or up to the end of the IPA space. */
static uint64_t slot_base(struct random_host *r, const struct material *of, unsigned ipa_bits,
			  uint64_t bytes)
{
	const uint64_t low = of->block_bytes > r->page_bytes && percent(r, 70)
				     ? of->block_bytes
				     : power(r, r->page_bytes, GIB(1));
	const uint64_t end = UINT64_C(1) << ipa_bits;
	const uint64_t top = (end - bytes) / low * low - low * below(r, 4);

	if (percent(r, 40) && end > GIB(6) && top > GIB(1))
		return top;
	return (GIB(1) + low - 1) / low * low + low * below(r, 4);
}

static void access_step(struct random_host *r, FILE *out, const struct material *of, uint64_t bytes)
{
	const uint64_t strides[] = { r->page_bytes, KIB(64), MIB(1), of->block_bytes,
				     of->block_bytes / 2 + r->page_bytes };
	const uint64_t stride = strides[below(r, COUNT(strides))] / r->page_bytes * r->page_bytes;
	const uint64_t page = percent(r, 50) ? 0 : below(r, bytes / r->page_bytes);
	const uint64_t offset = page * r->page_bytes + (percent(r, 20) ? 8 * below(r, 512) : 0);
	const uint64_t step = stride ? stride : r->page_bytes;
	uint64_t count = 1 + (bytes - 1 - offset) / step;

	if (count > 4)
		count = 1 + below(r, count > ACCESSES_MAX ? ACCESSES_MAX : count);
	fprintf(out, "%c:0x%" PRIx64 ":0x%" PRIx64 ":%" PRIu64, "rwwx"[below(r, 4)], offset, step,
		count);
}

static void log_step(struct random_host *r, FILE *out, uint64_t bytes)
{
	const uint64_t word = 64 * r->page_bytes;
	const uint64_t first = word * below(r, bytes / word + 1);

	switch (below(r, 4)) {
	case 0:
		fputs("logon", out);
		return;
	case 1:
		fputs("logoff", out);
		return;
	case 2:
		fputs("getlog", out);
		return;
	default:
		fprintf(out, "clrlog:0x%" PRIx64 ":0x%" PRIx64, first < bytes ? first : 0,
			percent(r, 50) || first + word > bytes ? word : bytes - first);
	}
}

static void put_script(struct random_host *r, FILE *out, const struct material *of, uint64_t bytes)
{
	const unsigned steps = 2 + (unsigned)below(r, 7);
	const bool logs = percent(r, 60);

	fputs(" script=", out);
	for (unsigned i = 0; i < steps; i++) {
		if (logs && percent(r, 40))
			log_step(r, out, bytes);
		else
			access_step(r, out, of, bytes);
		fputs(percent(r, 70) ? ";snap;" : ";", out);
	}
	fputs("snap", out);
}

/* Capabilities and flags: mostly none. */
static void put_options(struct random_host *r, FILE *out)
{
	static const unsigned flags[] = { 1, 1, 2, 3 }, manual[] = { 1, 3 };
	const uint64_t chunks[] = { r->page_bytes, r->page_bytes * r->page_bytes / 8, GIB(1) };

	if (percent(r, 35))
		fprintf(out, " flags=%u", flags[below(r, COUNT(flags))]);
	if (percent(r, 20))
		fprintf(out, " manual=%u", manual[below(r, COUNT(manual))]);
	/* 1G is a block for 4K pages alone. */
	if (r->eager_split && percent(r, 15))
		fprintf(out, " chunk=%" PRIu64, chunks[below(r, r->page_bytes == KIB(4) ? 3 : 2)]);
}

void random_setup(struct random_host *r, unsigned number, char *line, size_t line_bytes)
{
	const bool is_16k = r->page_bytes == KIB(16);
	const struct material *of = is_16k ? &material_16k[below(r, COUNT(material_16k))]
					   : &material_4k[below(r, COUNT(material_4k))];
	const unsigned ipa_bits = 32 + (unsigned)below(r, r->ipa_limit_bits - 31);
	const bool is_default = ipa_bits == 40 && percent(r, 50);
	const uint64_t bytes = slot_bytes(r, of);
	const uint64_t base = slot_base(r, of, ipa_bits, bytes);
	const uint64_t skew = percent(r, 50) ? 0 : power(r, r->page_bytes, MIB(512));
	FILE *out = fmemopen(line, line_bytes, "w");

	fprintf(out,
		"name=random%u ipa=%u base=0x%" PRIx64 " size=0x%" PRIx64
		" backing=%s hskew=%" PRIu64,
		number, is_default ? 0 : ipa_bits, base, bytes, of->name, skew);
	put_options(r, out);
	put_script(r, out, of, bytes);
	fclose(out);
}
