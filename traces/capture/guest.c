/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What version 1 of the plug-in API does not show: registers, and where a fetch goes.
 *
 * Debian's QEMU exports a few functions of its own to its modules. Where they are there, we ask
 * them: qemu_get_cpu(), cpu_dump_state(), cpu_get_phys_page_attrs_debug(), qmp_stop(). The first
 * dump of a vCPU tells us its X0..X30, and by looking for these 31 values in its state we find
 * where QEMU keeps them. Nothing is assumed about the layout; where the search fails, nothing is
 * recorded and the operands that are missing are counted.
 *
 * Operands are read at the instruction after the one that uses them. Both kinds that matter are
 * exact then: DC ZVA calls into QEMU, which stores all registers first; writes of system registers
 * and TLBI end a translation block, which does so too.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "a64.h"
#include "capture.h"

enum { N_REGISTERS = 31, LEAST_DISTINCT = 6 };
#define TCR_A1 (UINT64_C(1) << 22)

/* An opaque vCPU of QEMU. */
struct qemu_cpu;

static struct qemu_cpu *(*get_cpu)(int index);
static void (*dump_state)(struct qemu_cpu *cpu, FILE *out, int flags);
static void (*stop_machine)(void **error);
static uint64_t (*translate)(struct qemu_cpu *cpu, uint64_t va, void *attributes);

static void *find(const char *name)
{
	return dlsym(RTLD_DEFAULT, name);
}

void guest_attach(void)
{
	void *symbols[] = { find("qemu_get_cpu"), find("cpu_dump_state"),
			    find("cpu_get_phys_page_attrs_debug"), find("qmp_stop") };

	/* A function pointer cannot be converted from void * in ISO C; POSIX says it holds. */
	memcpy(&get_cpu, &symbols[0], sizeof(get_cpu));
	memcpy(&dump_state, &symbols[1], sizeof(dump_state));
	memcpy(&translate, &symbols[2], sizeof(translate));
	memcpy(&stop_machine, &symbols[3], sizeof(stop_machine));
}

bool guest_stop(void)
{
	if (!capture.system || !stop_machine)
		return false;
	stop_machine(NULL);
	return true;
}

uint64_t guest_ipa(const struct vcpu *v, uint64_t va)
{
	uint64_t attributes[2] = { 0, 0 }, ipa;
	struct qemu_cpu *cpu;

	if (!capture.system || !get_cpu || !translate)
		return TRACE_IPA_UNKNOWN;
	cpu = get_cpu(v->index);
	if (!cpu)
		return TRACE_IPA_UNKNOWN;
	ipa = translate(cpu, va >> PAGE_BITS << PAGE_BITS, attributes);
	return ipa == UINT64_MAX ? TRACE_IPA_UNKNOWN : ipa >> PAGE_BITS << PAGE_BITS;
}

/* X0..X30 out of QEMU's dump, " X00=0123456789abcdef ..."; false when it looks otherwise. */
static bool read_dump(const char *text, uint64_t *registers)
{
	for (unsigned i = 0; i < N_REGISTERS; i++) {
		char name[8];
		const char *at;

		snprintf(name, sizeof(name), "X%02u=", i);
		at = strstr(text, name);
		if (!at)
			return false;
		registers[i] = strtoull(at + strlen(name), NULL, 16);
	}
	return true;
}

/* Values that could stand anywhere by chance would find the wrong place. */
static bool is_distinct(const uint64_t *registers)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_REGISTERS; i++) {
		unsigned same = 0;

		for (unsigned j = 0; j < i; j++)
			same += registers[j] == registers[i];
		n += same == 0 && registers[i] != 0;
	}
	return n >= LEAST_DISTINCT;
}

/* Where in the object at `cpu` the values stand; NULL unless at exactly one place. */
static void *search(struct qemu_cpu *cpu, const uint64_t *registers)
{
	const size_t n = N_REGISTERS * sizeof(*registers), bytes = malloc_usable_size(cpu);
	unsigned char *base = (unsigned char *)cpu, *found = NULL;

	for (size_t at = 0; at + n <= bytes; at += sizeof(*registers)) {
		if (memcmp(base + at, registers, n) != 0)
			continue;
		if (found)
			return NULL;
		found = base + at;
	}
	return found;
}

static void *find_registers(const struct vcpu *v)
{
	uint64_t registers[N_REGISTERS];
	struct qemu_cpu *cpu = get_cpu ? get_cpu(v->index) : NULL;
	char *text = NULL;
	size_t n;
	FILE *out;
	bool readable;

	if (!cpu || !dump_state)
		return NULL;
	out = open_memstream(&text, &n);
	if (!out)
		return NULL;
	dump_state(cpu, out, 0);
	fclose(out);
	readable = read_dump(text, registers) && is_distinct(registers);
	free(text);
	return readable ? search(cpu, registers) : NULL;
}

static bool read_register(struct vcpu *v, unsigned rt, uint64_t *value)
{
	if (!v->registers)
		v->registers = find_registers(v);
	*value = 0;
	if (rt == N_REGISTERS) /* XZR */
		return true;
	if (!v->registers)
		return false;
	memcpy(value, (unsigned char *)v->registers + rt * sizeof(*value), sizeof(*value));
	return true;
}

static void record_event(struct vcpu *v, enum trace_event_type type, uint64_t a, uint64_t b)
{
	ledger_event(v, &(struct trace_event){ .type = (uint8_t)type,
					       .vcpu = v->index,
					       .asid = v->asid,
					       .args = { a, b } });
}

/* TCR_EL1.A1 says which TTBR holds the ASID (Arm ARM, TTBR0_EL1.ASID). */
static void change_context(struct vcpu *v)
{
	v->asid = (uint16_t)(v->ttbr[v->tcr & TCR_A1 ? 1 : 0] >> 48);
	record_event(v, EVENT_CONTEXT_SWITCH, v->ttbr[0], v->ttbr[1]);
}

void guest_introduce(struct vcpu *v)
{
	v->introduced = true;
	if (capture.system && (v->ttbr[0] | v->ttbr[1]))
		change_context(v);
}

static void write_ttbr(struct vcpu *v, unsigned which, uint64_t value)
{
	if (v->ttbr[which] == value)
		return;
	v->ttbr[which] = value;
	change_context(v);
}

void guest_special(struct vcpu *v, uint32_t insn)
{
	uint64_t value;

	if (!read_register(v, a64_rt(insn), &value)) {
		atomic_fetch_add(&capture.unread, 1);
		return;
	}
	switch (a64_classify(insn)) {
	case A64_DC_ZVA:
		vcpu_store(v->index, value & ~(uint64_t)(ZVA_BYTES - 1), ZVA_BYTES);
		break;
	case A64_MSR_TTBR0_EL1:
		write_ttbr(v, 0, value);
		break;
	case A64_MSR_TTBR1_EL1:
		write_ttbr(v, 1, value);
		break;
	case A64_MSR_TCR_EL1:
		v->tcr = value;
		break;
	case A64_TLBI:
		record_event(v, EVENT_TLBI, a64_sys_operation(insn), value);
		break;
	default:
		break;
	}
}
