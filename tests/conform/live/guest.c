/* SPDX-License-Identifier: BSD-2-Clause */
/* The bare-metal EL2 program: sets the registers of each case, makes the accesses, notes results. */
#include <stdint.h>

#include "protocol.h"

uint64_t semihost(uint64_t op, void *block);
uint64_t live_run(uint64_t pc, uint64_t spsr, uint64_t x0, uint64_t x1);
extern const char harness_begin[], harness_end[];

#define WRITE(reg, value) __asm__ volatile("msr " #reg ", %0" ::"r"((uint64_t)(value)) : "memory")
#define READ(reg)                                                                                  \
	({                                                                                         \
		uint64_t v_;                                                                       \
		__asm__ volatile("mrs %0, " #reg : "=r"(v_)::"memory");                            \
		v_;                                                                                \
	})
#define AT(op, va) __asm__ volatile("at " #op ", %0\n\tisb" ::"r"(va) : "memory")
#define BARRIER() __asm__ volatile("dsb sy\n\tisb" ::: "memory")

struct live_case {
	const uint64_t *regs;
	uint64_t harness_ipa, n_words, n_queries;
	const uint64_t *words, *queries;
};

static volatile uint64_t *word_at(uint64_t pa)
{
	return (volatile uint64_t *)pa;
}

static const uint64_t *parse(const uint64_t *in, struct live_case *c)
{
	c->regs = in + 1;
	in += 1 + LIVE_REGS;
	c->harness_ipa = in[0];
	c->n_words = in[1];
	c->n_queries = in[2];
	c->words = in + 3;
	c->queries = c->words + 2 * c->n_words;
	return c->queries + 2 * c->n_queries;
}

/* Stage 1 on: the upper half maps the harness page, at the place of its IPA in a 2M block. */
static uint64_t harness_va(const struct live_case *c)
{
	if (!(c->regs[4] & 1))
		return c->harness_ipa;
	return LIVE_HARNESS_BASE | (c->harness_ipa & 0x1fffff);
}

static void set_registers(const struct live_case *c, int real)
{
	uint64_t tcr = c->regs[0], ttbr1 = c->regs[2], index = 0;

	if (real && (c->regs[4] & 1)) {
		tcr &= ~(0x3fULL << 16 | 3ULL << 22 | 3ULL << 30 | 1ULL << 56);
		tcr |= (uint64_t)LIVE_T1SZ << 16 | 2ULL << 30;
		ttbr1 = c->harness_ipa + LIVE_HARNESS_TABLE;
		/* Normal memory if MAIR_EL1 has any. */
		while (index < 7 && !(c->regs[3] >> (8 * index) & 0xf0))
			index++;
		/* Block at level 2: AF, read-only at EL1, no execution at EL0. */
		*word_at(LIVE_HARNESS + LIVE_HARNESS_TABLE) = (c->harness_ipa & ~0x1fffffULL) |
							      1ULL << 54 | 1 << 10 | 2 << 6 |
							      index << 2 | 1;
	}
	WRITE(tcr_el1, tcr);
	WRITE(ttbr0_el1, c->regs[1]);
	WRITE(ttbr1_el1, ttbr1);
	WRITE(mair_el1, c->regs[3]);
	WRITE(sctlr_el1, c->regs[4]);
	WRITE(hcr_el2, c->regs[5]);
	WRITE(vtcr_el2, c->regs[6]);
	WRITE(vttbr_el2, c->regs[7]);
	if (real)
		WRITE(vbar_el1, harness_va(c));
	BARRIER();
	__asm__ volatile("tlbi alle1\n\tic iallu" ::: "memory");
	BARRIER();
}

static void translate(uint64_t op, uint64_t va, uint64_t *out)
{
	WRITE(tpidr_el1, 0);
	switch (op) {
	case LIVE_S12E1R:
		AT(s12e1r, va);
		break;
	case LIVE_S12E1W:
		AT(s12e1w, va);
		break;
	case LIVE_S12E0R:
		AT(s12e0r, va);
		break;
	case LIVE_S12E0W:
		AT(s12e0w, va);
		break;
	case LIVE_S1E1R:
		AT(s1e1r, va);
		break;
	case LIVE_S1E1W:
		AT(s1e1w, va);
		break;
	case LIVE_S1E0R:
		AT(s1e0r, va);
		break;
	default:
		AT(s1e0w, va);
		break;
	}
	out[0] = READ(tpidr_el1) ? LIVE_AT_ABORT : LIVE_PAR;
	out[1] = out[0] == LIVE_PAR ? READ(par_el1) : READ(esr_el2);
}

static void real_access(const struct live_case *c, uint64_t op, uint64_t va, uint64_t *out)
{
	uint64_t code = harness_va(c) + LIVE_HARNESS_CODE + 16 * (op - LIVE_LDR), data, esr;
	uint64_t spsr = op == LIVE_IFETCH0 ? 0x3c0 : 0x3c5;

	if (op >= LIVE_IFETCH1)
		code = va;
	WRITE(esr_el1, 0);
	data = live_run(code, spsr, va, 0x5a5aa5a5c3c33c3c);
	esr = READ(esr_el2);
	out[1] = esr;
	out[2] = READ(far_el2);
	out[3] = READ(hpfar_el2);
	switch (esr >> 26) {
	case 0x16: /* HVC: from an access that is done, or from the vectors of EL1 */
		if ((esr & 0xffff) == 2) {
			out[0] = LIVE_DONE;
			out[1] = data;
			return;
		}
		esr = READ(esr_el1);
		out[1] = esr;
		out[2] = READ(far_el1);
		out[0] = esr >> 26 == 0x25 || esr >> 26 == 0x20 || esr >> 26 == 0x21 ?
				 LIVE_EL1_ABORT :
			 esr >> 26 == 0 ? LIVE_DONE /* the fetched word, 0, is undefined */ :
					  LIVE_OTHER;
		return;
	case 0x20:
	case 0x24:
		out[0] = LIVE_EL2_ABORT;
		return;
	default:
		out[0] = LIVE_OTHER;
	}
}

/* Memory as the case has it; before a query nothing else is left of the one before. */
static void reset_memory(const struct live_case *c)
{
	for (uint64_t i = 0; i < c->n_words; i++)
		*word_at(c->words[2 * i]) = c->words[2 * i + 1];
}

static uint64_t *run_query(const struct live_case *c, uint64_t op, uint64_t va, uint64_t *out)
{
	uint64_t *changed = out + 5;

	reset_memory(c);
	set_registers(c, op >= LIVE_LDR);
	out[2] = out[3] = 0;
	if (op >= LIVE_LDR)
		real_access(c, op, va, out);
	else
		translate(op, va, out);
	for (uint64_t i = 0; i < c->n_words; i++) {
		uint64_t now = *word_at(c->words[2 * i]);

		if (now != c->words[2 * i + 1]) {
			*changed++ = c->words[2 * i];
			*changed++ = now;
		}
	}
	out[4] = (uint64_t)(changed - out - 5) / 2;
	return changed;
}

static uint64_t *run_case(const struct live_case *c, uint64_t *out)
{
	for (uint64_t i = 0; i < c->n_queries; i++)
		out = run_query(c, c->queries[2 * i], c->queries[2 * i + 1], out);
	for (uint64_t i = 0; i < c->n_words; i++)
		*word_at(c->words[2 * i]) = 0;
	return out;
}

/* ---- semihosting --------------------------------------------------------------------------- */

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, SYS_READ = 6, SYS_FLEN = 12, SYS_EXIT = 24 };
enum { OPEN_READ = 1, OPEN_WRITE = 5 };

static uint64_t call(uint64_t op, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t block[3] = { a, b, c };

	return semihost(op, block);
}

static void finish(uint64_t status)
{
	for (;;)
		call(SYS_EXIT, 0x20026 /* ADP_Stopped_ApplicationExit */, status, 0);
}

static void read_input(void)
{
	static const char name[] = "live.in";
	uint64_t handle = call(SYS_OPEN, (uint64_t)name, OPEN_READ, sizeof(name) - 1), length;

	if (handle == ~0ULL)
		finish(66);
	length = call(SYS_FLEN, handle, 0, 0);
	if (length > LIVE_INPUT_BYTES || call(SYS_READ, handle, LIVE_INPUT, length) != 0)
		finish(74);
	call(SYS_CLOSE, handle, 0, 0);
}

static void write_output(uint64_t bytes)
{
	static const char name[] = "live.out";
	uint64_t handle = call(SYS_OPEN, (uint64_t)name, OPEN_WRITE, sizeof(name) - 1);

	if (handle == ~0ULL || call(SYS_WRITE, handle, LIVE_OUTPUT, bytes) != 0)
		finish(74);
	call(SYS_CLOSE, handle, 0, 0);
}

void live_main(void)
{
	const uint64_t *in = (const uint64_t *)LIVE_INPUT;
	uint64_t *out = (uint64_t *)LIVE_OUTPUT;
	struct live_case c;

	for (long i = 0; i < harness_end - harness_begin; i += 8)
		*word_at(LIVE_HARNESS + (uint64_t)i) = *(const uint64_t *)(harness_begin + i);
	read_input();
	while (*in == LIVE_MAGIC) {
		in = parse(in, &c);
		out = run_case(&c, out);
	}
	write_output((uint64_t)((char *)out - (char *)LIVE_OUTPUT));
	finish(0);
}
