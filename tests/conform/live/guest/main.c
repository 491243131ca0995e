/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bare-metal side of the live proof: answers the queries of requests.bin (tests/conform/live/
 * wire.h) with the PE that it runs on, at EL2 with its own MMU off, and writes answers.bin.
 */
#include "../wire.h"

extern uint64_t semihost(uint64_t op, const void *block);
extern uint64_t lower_run(uint64_t pc, uint64_t spsr, uint64_t x0, uint64_t x1);
extern uint64_t at_run(uint64_t op, uint64_t va);
extern const char el1_page[], el1_warm[], el1_ldr[], el1_str[], el1_ldtr[], el1_sttr[];

uint64_t at_exception; /* set by the vector when an AT instruction took one */

#define SYSREG_READ(name)                                                                          \
	({                                                                                         \
		uint64_t value_;                                                                   \
		__asm__ volatile("mrs %0, " #name : "=r"(value_));                                 \
		value_;                                                                            \
	})
#define SYSREG_WRITE(name, value) __asm__ volatile("msr " #name ", %0" ::"r"((uint64_t)(value)))

/* ---- semihosting files --------------------------------------------------------------------- */

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, SYS_READ = 6 };
enum { OPEN_READ_BINARY = 1, OPEN_WRITE_BINARY = 5 };

/* Requests are read whole; answers leave in pieces. */
#define REQUESTS       ((uint64_t *)0x44000000)
#define REQUESTS_BYTES UINT64_C(0x14000000)
#define ANSWERS	       ((uint64_t *)0x58000000)
#define ANSWERS_WORDS  32768

static uint64_t answers_file, answers_count;

static uint64_t file_open(const char *name, uint64_t length, uint64_t mode)
{
	uint64_t block[3] = { (uint64_t)name, mode, length };

	return semihost(SYS_OPEN, block);
}

/* Returns the number of bytes not read or not written. */
static uint64_t file_move(uint64_t op, uint64_t file, void *data, uint64_t bytes)
{
	uint64_t block[3] = { file, (uint64_t)data, bytes };

	return semihost(op, block);
}

/* 0, or the exit status for a write that fails. */
static int flush(void)
{
	uint64_t left = file_move(SYS_WRITE, answers_file, ANSWERS, answers_count * 8);

	answers_count = 0;
	return left ? 74 : 0;
}

static void put(uint64_t word)
{
	ANSWERS[answers_count++] = word;
}

__attribute__((noreturn, used)) void guest_unexpected(uint64_t esr, uint64_t elr, uint64_t far)
{
	static const uint64_t exit_block[2] = { 0x20026, 70 };

	put(esr);
	put(elr);
	put(far);
	flush();
	for (;;)
		semihost(0x18, exit_block);
}

/* ---- translation --------------------------------------------------------------------------- */

static uint64_t own_s1[512] __attribute__((aligned(4096)));
static uint64_t own_s2[512] __attribute__((aligned(4096)));

/* EL1 code in the TTBR1 half: one block of 1 GiB, read-only at EL1, UXN; level 1, 39-bit. */
#define OWN_VA	  UINT64_C(0xffffff8000000000)
#define OWN_BASE  UINT64_C(0x40000000)
#define OWN_BLOCK (OWN_BASE | 1)
#define OWN_S1	  (OWN_BLOCK | 1 << 10 | 1 << 7 | UINT64_C(1) << 54)
#define OWN_S2	  (OWN_BLOCK | 1 << 10 | 3 << 8 | 3 << 6 | 15 << 2)
#define OWN_VTCR  (UINT64_C(1) << 31 | 2 << 16 | 3 << 12 | 1 << 6 | 25)

/* TCR_EL1 fields of the upper half that the guest takes over: T1SZ, A1, EPD1, TG1. */
#define TCR_UPPER (UINT64_C(0x3f) << 16 | UINT64_C(1) << 22 | UINT64_C(1) << 23 | UINT64_C(3) << 30)
#define TCR_OWN	  (UINT64_C(25) << 16 | UINT64_C(2) << 30)
#define VMID_MASK (UINT64_C(0xffff) << 48)

#define SPSR_EL1H (UINT64_C(0x3c0) | 5)
#define SPSR_EL0  UINT64_C(0x3c0)

static void barrier(void)
{
	__asm__ volatile("dsb sy\n\tisb" ::: "memory");
}

static void forget_translations(void)
{
	__asm__ volatile("dsb sy\n\ttlbi alle1\n\tdsb sy\n\tisb" ::: "memory");
}

static void set_case(const uint64_t *reg)
{
	SYSREG_WRITE(tcr_el1, reg[WIRE_TCR_EL1]);
	SYSREG_WRITE(ttbr0_el1, reg[WIRE_TTBR0_EL1]);
	SYSREG_WRITE(ttbr1_el1, reg[WIRE_TTBR1_EL1]);
	SYSREG_WRITE(mair_el1, reg[WIRE_MAIR_EL1]);
	SYSREG_WRITE(sctlr_el1, reg[WIRE_SCTLR_EL1]);
	SYSREG_WRITE(hcr_el2, reg[WIRE_HCR_EL2]);
	SYSREG_WRITE(vtcr_el2, reg[WIRE_VTCR_EL2]);
	SYSREG_WRITE(vttbr_el2, reg[WIRE_VTTBR_EL2]);
	forget_translations();
}

/* The VA at which EL1 sees its page. */
static uint64_t el1_address(const char *label, const uint64_t *reg)
{
	uint64_t pa = (uint64_t)label;

	return reg[WIRE_SCTLR_EL1] & 1 && !(reg[WIRE_HCR_EL2] & (1 << 12))
		       ? OWN_VA + (pa - OWN_BASE)
		       : pa;
}

/*
 * Put the EL1 page into the TLB under the guest's own upper half and stage 2, then go over to the
 * case's stage 2. The case's VMID is kept, so nothing asks the PE to drop the entry. That it stays
 * is not promised by the architecture; when it does not, the access ends in a fault at the
 * page's own address, which the host tool reports as such.
 */
static void warm_case(const uint64_t *reg)
{
	SYSREG_WRITE(tcr_el1, (reg[WIRE_TCR_EL1] & ~TCR_UPPER) | TCR_OWN);
	SYSREG_WRITE(ttbr1_el1, own_s1);
	SYSREG_WRITE(vtcr_el2, OWN_VTCR);
	SYSREG_WRITE(vttbr_el2, (uint64_t)own_s2 | (reg[WIRE_VTTBR_EL2] & VMID_MASK));
	SYSREG_WRITE(vbar_el1, el1_address(el1_page, reg));
	forget_translations();
	lower_run(el1_address(el1_warm, reg), SPSR_EL1H, 0, 0);
	SYSREG_WRITE(vtcr_el2, reg[WIRE_VTCR_EL2]);
	SYSREG_WRITE(vttbr_el2, reg[WIRE_VTTBR_EL2]);
	barrier();
}

/* ---- queries ------------------------------------------------------------------------------- */

static void run_at(uint64_t op, uint64_t va, struct wire_answer *a)
{
	at_exception = 0;
	barrier();
	a->value = at_run(op, va);
	a->outcome = at_exception ? WIRE_AT_ABORT : WIRE_AT_DONE;
	if (at_exception) {
		a->esr = SYSREG_READ(esr_el2);
		a->far = SYSREG_READ(far_el2);
		a->hpfar = SYSREG_READ(hpfar_el2);
		a->elr = SYSREG_READ(elr_el2);
	}
}

static void run_lower(const uint64_t *reg, uint64_t op, uint64_t va, struct wire_answer *a)
{
	static const char *const code[] = { el1_ldr, el1_str, el1_ldtr, el1_sttr };
	uint64_t esr, ec;

	if (op == WIRE_IFETCH0)
		a->value = lower_run(va, SPSR_EL0, 0, 0);
	else if (op == WIRE_IFETCH1)
		a->value = lower_run(va, SPSR_EL1H, 0, 0);
	else
		a->value = lower_run(el1_address(code[op - WIRE_LDR], reg), SPSR_EL1H, va,
				     WIRE_STORED);
	esr = SYSREG_READ(esr_el2);
	ec = esr >> 26;
	if (ec == 0x16 && (esr & 0xffff) == 0) {
		a->outcome = WIRE_DONE;
	} else if (ec == 0x16) {
		a->outcome = WIRE_EL1_FAULT;
		a->esr = SYSREG_READ(esr_el1);
		a->far = SYSREG_READ(far_el1);
		a->elr = SYSREG_READ(elr_el1);
	} else {
		a->outcome = WIRE_EL2_FAULT;
		a->esr = esr;
		a->far = SYSREG_READ(far_el2);
		a->hpfar = SYSREG_READ(hpfar_el2);
		a->elr = SYSREG_READ(elr_el2);
	}
}

/* Words that changed become part of the answer and are put back. */
static uint64_t take_back(const uint64_t *words, uint64_t count, uint64_t *out)
{
	uint64_t changed = 0;

	for (uint64_t i = 0; i < count; i++) {
		volatile uint64_t *word = (volatile uint64_t *)words[2 * i];
		uint64_t now = *word;

		if (now == words[2 * i + 1])
			continue;
		out[2 * changed] = i;
		out[2 * changed + 1] = now;
		changed++;
		*word = words[2 * i + 1];
	}
	return changed;
}

static void run_query(const uint64_t *reg, const uint64_t *words, uint64_t count, uint64_t op,
		      uint64_t va)
{
	struct wire_answer a = { 0 };
	uint64_t *out = ANSWERS + answers_count;
	uint64_t changed;

	set_case(reg);
	if (op < WIRE_LDR) {
		run_at(op, va, &a);
	} else {
		warm_case(reg);
		run_lower(reg, op, va, &a);
	}
	changed = take_back(words, count, out + WIRE_ANSWER_WORDS);
	out[0] = a.outcome | changed << 32;
	out[1] = a.value;
	out[2] = a.esr;
	out[3] = a.far;
	out[4] = a.hpfar;
	out[5] = a.elr;
	answers_count += WIRE_ANSWER_WORDS + 2 * changed;
}

/* One case; returns where the next one starts. */
static const uint64_t *run_case(const uint64_t *p, int *status)
{
	uint64_t words_count = p[0] & 0xffffffff, queries = p[0] >> 32;
	const uint64_t *reg = p + 1, *words = reg + WIRE_REGS, *query = words + 2 * words_count;

	for (uint64_t i = 0; i < words_count; i++)
		*(volatile uint64_t *)words[2 * i] = words[2 * i + 1];
	for (uint64_t i = 0; i < queries && *status == 0; i++) {
		run_query(reg, words, words_count, query[2 * i], query[2 * i + 1]);
		if (answers_count + WIRE_ANSWER_WORDS + 2 * words_count > ANSWERS_WORDS)
			*status = flush();
	}
	for (uint64_t i = 0; i < words_count; i++)
		*(volatile uint64_t *)words[2 * i] = 0;
	return query + 2 * queries;
}

int guest_main(void);

int guest_main(void)
{
	const uint64_t *p = REQUESTS;
	uint64_t file = file_open("requests.bin", 12, OPEN_READ_BINARY), left;
	int status = 0;

	answers_file = file_open("answers.bin", 11, OPEN_WRITE_BINARY);
	if ((int64_t)file < 0 || (int64_t)answers_file < 0)
		return 66;
	left = file_move(SYS_READ, file, REQUESTS, REQUESTS_BYTES);
	if (left == 0 || p[0] != WIRE_REQUEST)
		return 65;
	own_s1[0] = OWN_S1;
	own_s2[1] = OWN_S2;
	put(WIRE_ANSWER);
	put(SYSREG_READ(id_aa64mmfr0_el1));
	put(SYSREG_READ(id_aa64mmfr1_el1));
	put(SYSREG_READ(id_aa64mmfr2_el1));
	put(SYSREG_READ(id_aa64isar1_el1));
	p += 2;
	for (uint64_t n = REQUESTS[1]; n > 0 && status == 0; n--)
		p = run_case(p, &status);
	SYSREG_WRITE(hcr_el2, UINT64_C(1) << 31);
	put(WIRE_END);
	if (status == 0)
		status = flush();
	return status;
}
