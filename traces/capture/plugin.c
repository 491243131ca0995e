/* SPDX-License-Identifier: BSD-2-Clause */
/* The plug-in as QEMU sees it: installation, translation and the events of a vCPU's life. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "a64.h"
#include "capture.h"

/* System calls of arm64 Linux (include/uapi/asm-generic/unistd.h). */
enum {
	SYS_MUNMAP = 215,
	SYS_MREMAP = 216,
	SYS_CLONE = 220,
	SYS_MMAP = 222,
	SYS_MADVISE = 233,
	SYS_CLONE3 = 435,
};
enum { FLAG_MAP_FIXED = 0x10, ADVICE_DONTNEED = 4 };

int qemu_plugin_version = PLUGIN_API_VERSION;

struct capture capture = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER,
	.room = PTHREAD_COND_INITIALIZER,
	.done = PTHREAD_COND_INITIALIZER,
	.closed_end = &capture.closed,
};

static void begin_recording(plugin_id_t id);

static void on_start(unsigned vcpu, void *unused)
{
	(void)vcpu;
	(void)unused;
	/* Throws away the code translated so far; what follows is instrumented. */
	qemu_plugin_reset(capture.id, begin_recording);
}

static void on_stop(unsigned vcpu, void *unused)
{
	(void)unused;
	vcpu_park(vcpu);
	ledger_end();
}

static uint32_t opcode(const struct qemu_plugin_insn *insn)
{
	uint32_t word = 0;

	if (qemu_plugin_insn_size(insn) == sizeof(word))
		memcpy(&word, qemu_plugin_insn_data(insn), sizeof(word));
	return word;
}

static bool is_translation_register(enum a64_special special)
{
	return special == A64_MSR_TTBR0_EL1 || special == A64_MSR_TTBR1_EL1 ||
	       special == A64_MSR_TCR_EL1;
}

/*
 * A machine has set its translation registers long before the mark. Writing one ends the block,
 * so the first instruction of a block is where its operand can be read.
 */
static void translate_waiting(plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	if (capture.system)
		qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, 0), vcpu_watch,
						       PLUGIN_NO_REGISTERS, NULL);
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint32_t word = opcode(insn);
		const enum a64_special special = a64_classify(word);

		if (special == A64_START)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_start, PLUGIN_NO_REGISTERS,
							       NULL);
		else if (capture.system && is_translation_register(special))
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, vcpu_special, PLUGIN_NO_REGISTERS, (void *)(uintptr_t)word);
	}
}

static void translate_recording(plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint32_t word = opcode(insn);
		const enum a64_special special = a64_classify(word);

		qemu_plugin_register_vcpu_insn_exec_cb(
			insn, vcpu_fetch, PLUGIN_NO_REGISTERS,
			(void *)(uintptr_t)qemu_plugin_insn_vaddr(insn));
		qemu_plugin_register_vcpu_mem_cb(insn, vcpu_data, PLUGIN_NO_REGISTERS,
						 PLUGIN_LOADS_AND_STORES, NULL);
		if (special == A64_STOP)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_stop, PLUGIN_NO_REGISTERS,
							       NULL);
		else if (special != A64_ORDINARY && special != A64_START)
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, vcpu_special, PLUGIN_NO_REGISTERS, (void *)(uintptr_t)word);
	}
}

static void on_vcpu_exit_or_idle(plugin_id_t id, unsigned vcpu)
{
	(void)id;
	vcpu_park(vcpu);
}

static void on_syscall(plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2,
		       uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
	const uint64_t arguments[] = { a1, a2, a3, a4, a5 };

	(void)id;
	(void)a6;
	(void)a7;
	(void)a8;
	memcpy(vcpu_get(vcpu)->arguments, arguments, sizeof(arguments));
	/* With other vCPUs about, nobody may wait for the segment of one that sleeps. */
	if (capture.n_vcpus > 1 || number == SYS_CLONE || number == SYS_CLONE3)
		vcpu_park(vcpu);
}

/* The part of the address space that system call `number` took away; false: none. */
static bool find_unmapped(const struct vcpu *v, int64_t number, int64_t result, uint64_t *va,
			  uint64_t *bytes)
{
	const uint64_t *a = v->arguments;

	*va = a[0];
	*bytes = a[1];
	switch (number) {
	case SYS_MUNMAP:
		return result == 0;
	case SYS_MADVISE:
		return result == 0 && a[2] == ADVICE_DONTNEED;
	case SYS_MMAP: /* a fixed mapping replaces what was there */
		return (a[3] & FLAG_MAP_FIXED) && (uint64_t)result == a[0];
	case SYS_MREMAP:
		if (result < 0 && result > -4096)
			return false;
		if ((uint64_t)result == a[0]) { /* shrunk in place, or grown */
			*va = a[0] + a[2];
			*bytes = a[1] > a[2] ? a[1] - a[2] : 0;
		}
		return *bytes != 0;
	default:
		return false;
	}
}

static void on_syscall_return(plugin_id_t id, unsigned vcpu, int64_t number, int64_t result)
{
	struct vcpu *v = vcpu_get(vcpu);
	struct trace_event event = { .type = EVENT_UNMAP, .vcpu = v->index };

	(void)id;
	if (find_unmapped(v, number, result, &event.args[0], &event.args[1]))
		ledger_event(v, &event);
}

static void on_exit_of_guest(plugin_id_t id, void *unused)
{
	(void)id;
	(void)unused;
	if (!capture.disowned)
		ledger_finish(VCPUS_STOPPED);
}

static void register_common(plugin_id_t id)
{
	qemu_plugin_register_atexit_cb(id, on_exit_of_guest, NULL);
}

static void begin_recording(plugin_id_t id)
{
	register_common(id);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate_recording);
	qemu_plugin_register_vcpu_exit_cb(id, on_vcpu_exit_or_idle);
	if (capture.system) {
		qemu_plugin_register_vcpu_idle_cb(id, on_vcpu_exit_or_idle);
		return;
	}
	qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
	qemu_plugin_register_vcpu_syscall_ret_cb(id, on_syscall_return);
}

int qemu_plugin_install(plugin_id_t id, const struct plugin_info *info, int argc, char **argv)
{
	capture.id = id;
	capture.system = info->system_emulation;
	if (strcmp(info->target_name, "aarch64") != 0) {
		fprintf(stderr, "capture: error: guest is %s, expected aarch64\n",
			info->target_name);
		return -1;
	}
	if (!options_parse(argc, argv))
		return -1;
	vcpu_prepare();
	guest_attach();
	if (!writer_start())
		return -1;
	pthread_atfork(NULL, NULL, ledger_disown);
	if (!capture.marker) {
		begin_recording(id);
		return 0;
	}
	register_common(id);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate_waiting);
	return 0;
}
