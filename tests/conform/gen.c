/* SPDX-License-Identifier: BSD-2-Clause */
#include "gen.h"

#include <stddef.h>
#include <string.h>

#include "naive_parts.h"

/* QEMU's values for its cores, and a PE with neither FEAT_XNX nor FEAT_S2FWB nor FEAT_TTST. */
const struct gen_pe gen_pes[GEN_PES] = {
	{ "max", 0x32310201126, 0x11010211122, 0x1021011010011011, true },
	{ "max,lpa2=off", 0x22200101126, 0x11010211122, 0x1021011010011011, true },
	{ "neoverse-n1", 0x101125, 0x10212122, 0x1011, false },
	{ "cortex-a57", 0x1124, 0, 0, false },
	{ "cortex-a35", 0x101122, 0, 0, false },
	{ "access-flag-only", 0x101123, 0x121, 0x10000000, true },
	{ "lpa2-4k-only", 0x12101126, 0x10212122, 0x1010010010011, true },
};

const struct gen_pe *gen_pe_find(const char *name)
{
	for (int i = 0; i < GEN_PES; i++) {
		size_t n = strlen(gen_pes[i].name);

		if (strncmp(gen_pes[i].name, name, n) == 0 && (!name[n] || name[n] == ' '))
			return &gen_pes[i];
	}
	return NULL;
}

struct naive_cpu gen_cpu(const struct gen_pe *pe)
{
	return (struct naive_cpu){
		.mmfr0 = pe->mmfr0, .mmfr1 = pe->mmfr1, .mmfr2 = pe->mmfr2, .pauth = pe->pauth
	};
}

uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return rng_next(rng) % n;
}

bool rng_chance(struct rng *rng, unsigned percent)
{
	return rng_below(rng, 100) < percent;
}

static uint64_t rng_bits(struct rng *rng, unsigned n)
{
	return n == 0 ? 0 : rng_next(rng) >> (64 - n);
}

/* Something wrong or rare, `percent` of the time in a case with the usual trouble. */
static bool trouble(struct gen_case *c, unsigned percent)
{
	return rng_below(&c->rng, 10000) < percent * c->trouble_percent;
}

static bool stage2_on(const struct gen_case *c)
{
	return bit(c->regs.hcr_el2, 0) || bit(c->regs.hcr_el2, 12);
}

/* A physical address near `address` that memory has; sometimes one that aborts. */
static uint64_t in_memory(struct gen_case *c, uint64_t address)
{
	uint64_t first = c->words.abort_first, size = c->words.abort_end - first;

	if (size && rng_chance(&c->rng, 2))
		return first + address % (size < first ? size : first);
	if (c->ram_end == 0 || (address >= c->ram_first && address < c->ram_end))
		return address;
	return c->ram_first + address % (c->ram_end - c->ram_first);
}

/* An address that a descriptor of `stage`, or its base register, may hold. */
static uint64_t gen_address(struct gen_case *c, int stage)
{
	struct rng *r = &c->rng;
	unsigned bits = c->address_bits, ipa = stage == 1 && stage2_on(c);
	uint64_t address;

	if (trouble(c, 3))
		bits = 48;
	else if (rng_chance(r, 30) && bits > 30)
		bits = 30 + (unsigned)rng_below(r, bits - 29);
	address = rng_bits(r, bits > 48 ? 48 : bits);
	return ipa ? address : in_memory(c, address);
}

/* Bits [51:48] of an address where this case's descriptors keep them, of either form. */
static uint64_t high_address_bits(struct rng *rng)
{
	return rng_chance(rng, 50) ? rng_bits(rng, 4) << 12 : rng_bits(rng, 2) << 8;
}

/* Bits [1:0] that suit the level mostly. */
static uint64_t gen_type(struct gen_case *c, int level)
{
	static const uint8_t block_percent[5] = { 0, 2, 20, 35, 0 };

	if (trouble(c, 3))
		return rng_below(&c->rng, 2) << 1;
	if (trouble(c, 4))
		return 1;
	return rng_chance(&c->rng, block_percent[level + 1]) ? 1 : 3;
}

uint64_t gen_descriptor(struct gen_case *c)
{
	static const uint8_t memattr[16] = {
		15, 15, 15, 15, 13, 14, 11, 10, 9, 7, 6, 5, 0, 1, 2, 3
	};
	static const uint8_t fwb[8] = { 6, 6, 7, 7, 5, 0, 1, 3 };
	struct rng *r = &c->rng;
	int stage = c->running ? c->running->reading : 2;
	int level = c->running ? c->running->reading_level : 3;
	uint64_t d = gen_address(c, stage) & ~c->low_mask;
	bool ds =
		stage == 1 ? bit(c->regs.tcr_el1 | c->regs.tcr_el2, 59) : bit(c->regs.vtcr_el2, 32);

	d |= gen_type(c, level);
	if (trouble(c, 3))
		d |= high_address_bits(r);
	d |= (uint64_t)(bit(c->regs.hcr_el2, 46) ? fwb[rng_below(r, 8)] : memattr[rng_below(r, 16)])
	     << 2;
	d |= trouble(c, 8) ? 0 : UINT64_C(1) << 6;
	/* Read-only is 1 in stage 1 and 0 in stage 2. */
	d |= (uint64_t)(trouble(c, 45) == (stage == 1)) << 7;
	if (!ds || trouble(c, 10))
		d |= rng_chance(r, 30) ? 0 : rng_chance(r, 50) ? 0x300 : 0x200;
	d |= trouble(c, 7) ? 0 : UINT64_C(1) << 10;
	d |= rng_bits(r, 1) << 11;
	d |= rng_bits(r, 1) << 51;
	d |= rng_chance(r, 20) ? UINT64_C(1) << 52 : 0;
	d |= trouble(c, 20) ? UINT64_C(1) << 53 : 0;
	d |= trouble(c, 12) ? UINT64_C(1) << 54 : 0;
	if (trouble(c, 25))
		d |= rng_bits(r, 5) << 59;
	return d;
}

static uint64_t read_word(void *ctx, uint64_t pa)
{
	struct gen_case *c = ctx;

	if (!words_known(&c->words, pa))
		words_write(&c->words, pa, gen_descriptor(c));
	return words_read(&c->words, pa);
}

static void write_word(void *ctx, uint64_t pa, uint64_t value)
{
	words_write(&((struct gen_case *)ctx)->words, pa, value);
}

static bool aborts(void *ctx, uint64_t pa)
{
	return words_aborts(&((struct gen_case *)ctx)->words, pa);
}

uint64_t gen_base(struct gen_case *c, int stage)
{
	struct rng *r = &c->rng;
	uint64_t base = gen_address(c, stage) & ~UINT64_C(0x3e);

	if (trouble(c, 8))
		base |= rng_bits(r, 4) << 2;
	return base | rng_bits(r, 16) << 48;
}

static uint64_t ps_for(struct gen_case *c)
{
	uint64_t best = field(c->cpu.mmfr0, 2, 0);

	return rng_chance(&c->rng, 75) ? best : rng_below(&c->rng, 7);
}

/* Mostly keep invented addresses within the output size of a stage. */
static void fit_addresses(struct gen_case *c, uint64_t ps)
{
	static const uint8_t size[8] = { 32, 36, 40, 42, 44, 48, 48, 48 };

	if (c->address_bits > size[ps] && rng_chance(&c->rng, 90))
		c->address_bits = size[ps];
}

/* Draw VTCR_EL2 until stage 2 is set up legally. */
static void legal_s2(struct gen_case *c)
{
	struct rng *r = &c->rng;
	struct params p;

	do {
		uint64_t tg = rng_below(r, 3), sl2_ds = rng_chance(r, 50) ? rng_bits(r, 2) : 0;

		c->regs.vtcr_el2 = UINT64_C(1) << 31 | (12 + rng_below(r, 37)) |
				   rng_bits(r, 2) << 6 | rng_bits(r, 4) << 8 |
				   (2 | rng_bits(r, 1)) << 12 | tg << 14 | ps_for(c) << 16 |
				   rng_bits(r, 1) << 19 | rng_bits(r, 2) << 21 | sl2_ds << 32;
		p = naive_s2_params(&c->cpu, &c->regs);
	} while (!naive_settle_txsz(&c->cpu, &p) || naive_sl_invalid(&c->cpu, &p) ||
		 naive_sl_inconsistent(&p));
	c->address_bits = 64 - p.txsz;
	fit_addresses(c, p.ps);
	c->low_mask |= (UINT64_C(1) << p.granule) - 1;
	c->regs.vttbr_el2 = gen_base(c, 2);
}

static uint64_t legal_tcr(struct gen_case *c, bool el20)
{
	static const unsigned rare[] = { 7, 23, 51, 52, 55, 56 }, often[] = { 37, 38, 41, 42 };
	struct rng *r = &c->rng;
	struct params p0, p1;
	uint64_t tcr;

	do {
		tcr = (10 + rng_below(r, 40)) | (10 + rng_below(r, 40)) << 16;
		tcr |= rng_below(r, 3) << 14 | (1 + rng_below(r, 3)) << 30;
		tcr |= (2 | rng_bits(r, 1)) << 12 | (2 | rng_bits(r, 1)) << 28 | ps_for(c) << 32;
		tcr |= rng_bits(r, 4) << 8 | rng_bits(r, 4) << 24;
		tcr |= rng_bits(r, 1) << 22 | rng_bits(r, 1) << 36;
		tcr |= rng_bits(r, 2) << 39 | rng_bits(r, 1) << 59;
		for (unsigned i = 0; i < sizeof(rare) / sizeof(rare[0]); i++)
			tcr |= (uint64_t)rng_chance(r, 5) << rare[i];
		for (unsigned i = 0; i < sizeof(often) / sizeof(often[0]); i++)
			tcr |= (uint64_t)rng_chance(r, 35) << often[i];
		*(el20 ? &c->regs.tcr_el2 : &c->regs.tcr_el1) = tcr;
		p0 = naive_s1_params(&c->cpu, &c->regs, el20, 0);
		p1 = naive_s1_params(&c->cpu, &c->regs, el20, UINT64_MAX);
	} while (!naive_settle_txsz(&c->cpu, &p0) || !naive_settle_txsz(&c->cpu, &p1));
	c->low_mask |= (UINT64_C(1) << p0.granule) - 1;
	c->low_mask |= (UINT64_C(1) << p1.granule) - 1;
	fit_addresses(c, p0.ps);
	return tcr;
}

static uint64_t gen_mair(struct rng *r)
{
	static const uint8_t attr[] = { 0xff, 0x44, 0x00, 0x04, 0x08, 0x0c, 0x4f,
					0xf4, 0x77, 0xaa, 0xbb, 0xee, 0xff, 0xff };
	uint64_t mair = 0;

	for (unsigned i = 0; i < 8; i++)
		mair |= (uint64_t)attr[rng_below(r, sizeof(attr))] << (8 * i);
	return mair;
}

static void perturb(struct gen_case *c)
{
	struct rng *r = &c->rng;

	for (unsigned n = 1 + (unsigned)rng_below(r, 3); n > 0; n--) {
		static const uint8_t vtcr_bits[] = { 0,	 1,  2,	 3,  4,	 5,  6, 7,
						     14, 15, 16, 17, 18, 32, 33 };
		static const uint8_t tcr_bits[] = { 0,	1,  2,	3,  4,	5,  14, 15, 16, 17,
						    18, 19, 20, 21, 30, 31, 32, 33, 34, 59 };

		if (rng_chance(r, 60))
			c->regs.vtcr_el2 ^= UINT64_C(1)
					    << vtcr_bits[rng_below(r, sizeof(vtcr_bits))];
		else
			c->regs.tcr_el1 ^= UINT64_C(1) << tcr_bits[rng_below(r, sizeof(tcr_bits))];
	}
}

void gen_case(struct gen_case *c, uint64_t seed, const struct gen_pe *pe, enum gen_kind kind)
{
	struct rng *r = &c->rng;
	uint64_t sctlr = UINT64_C(0x30d01804);

	r->state = seed * UINT64_C(0xd1342543de82ef95) + (uint64_t)kind;
	words_clear(&c->words);
	c->running = NULL;
	c->trouble_percent = 100;
	c->pe = pe;
	c->kind = kind;
	c->cpu = gen_cpu(pe);
	c->regs = (struct naive_regs){ .hcr_el2 = UINT64_C(1) << 31 };
	c->memory = (struct naive_memory){ c, read_word, write_word, aborts };
	c->address_bits = naive_pa_max(&c->cpu);
	c->low_mask = 0;
	if (kind == GEN_S2 || kind == GEN_S12 || kind == GEN_BAD) {
		c->regs.hcr_el2 |= 1 | (uint64_t)rng_chance(r, 20) << 2;
		if (field(pe->mmfr2, 43, 40))
			c->regs.hcr_el2 |= (uint64_t)rng_chance(r, 35) << 46;
		legal_s2(c);
	}
	if (kind != GEN_S2)
		sctlr |= 1 | (uint64_t)rng_chance(r, 20) << 19;
	else
		c->regs.hcr_el2 |= (uint64_t)rng_chance(r, 15) << 12;
	c->regs.sctlr_el1 = c->regs.sctlr_el2 = sctlr;
	c->regs.tcr_el1 = legal_tcr(c, false);
	c->regs.mair_el1 = gen_mair(r);
	c->regs.ttbr0_el1 = gen_base(c, 1);
	c->regs.ttbr1_el1 = gen_base(c, 1);
	if (kind == GEN_EL20) {
		c->regs.hcr_el2 |= UINT64_C(1) << 34 | (uint64_t)rng_chance(r, 50) << 27;
		c->regs.tcr_el2 = legal_tcr(c, true);
		c->regs.mair_el2 = gen_mair(r);
		c->regs.ttbr0_el2 = gen_base(c, 1);
		c->regs.ttbr1_el2 = gen_base(c, 1);
	}
	if (kind == GEN_BAD)
		perturb(c);
}

void gen_translate(struct gen_case *c, const struct naive_access *a, struct naive_result *result)
{
	c->running = result;
	naive_translate(&c->cpu, &c->regs, &c->memory, a, result);
	c->running = NULL;
}

uint64_t gen_va(struct gen_case *c)
{
	struct rng *r = &c->rng;
	bool el20 = c->kind == GEN_EL20, upper = rng_chance(r, 40);
	struct params p = naive_s1_params(&c->cpu, &c->regs, el20, upper ? UINT64_MAX : 0);
	unsigned bits = 64 - (p.txsz < 12 ? 12 : p.txsz);
	uint64_t va;

	if (c->kind == GEN_S2) {
		bits = c->address_bits;
		upper = false;
	}
	if (rng_chance(r, 3))
		bits = bits < 63 ? bits + 1 : 63;
	va = rng_bits(r, rng_chance(r, 60) ? bits : 1 + (unsigned)rng_below(r, bits));
	if (upper)
		va |= ~UINT64_C(0) << bits;
	if (rng_chance(r, p.tbi ? 40 : 4))
		va ^= rng_bits(r, 8) << 56;
	return va & ~UINT64_C(7);
}

struct naive_access gen_access(struct gen_case *c)
{
	struct rng *r = &c->rng;
	struct naive_access a = { .va = gen_va(c) };

	a.kind = (enum naive_kind)rng_below(r, 3);
	a.el = (int)rng_bits(r, 1);
	if (c->kind == GEN_EL20)
		a.el = bit(c->regs.hcr_el2, 27) && a.el == 0 ? 0 : 2;
	if (a.kind != NAIVE_FETCH && c->kind != GEN_EL20) {
		a.at = rng_chance(r, 40);
		a.stage1_only = a.at && rng_chance(r, 30);
	}
	c->regs.pan = bit(c->cpu.mmfr1, 20) && rng_chance(r, 15);
	return a;
}
