/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plug-in that only counts, mostly by QEMU's inline counters: what the capture plug-in must agree
 * with. One vCPU (inline counters are not atomic).
 */
#include <stdio.h>
#include <string.h>

#include "a64.h"
#include "qemu.h"

int qemu_plugin_version = PLUGIN_API_VERSION;
static uint64_t instructions, accesses, stores, zvas;

/* QEMU 7.2 counts loads as stores when an inline counter is to count either alone. */
static void on_access(unsigned vcpu, plugin_meminfo_t info, uint64_t va, void *unused)
{
	(void)vcpu;
	(void)va;
	(void)unused;
	stores += qemu_plugin_mem_is_store(info);
}

static void translate(plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint32_t word;

		memcpy(&word, qemu_plugin_insn_data(insn), sizeof(word));
		qemu_plugin_register_vcpu_insn_exec_inline(insn, PLUGIN_INLINE_ADD_U64,
							   &instructions, 1);
		if (a64_classify(word) == A64_DC_ZVA)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, PLUGIN_INLINE_ADD_U64,
								   &zvas, 1);
		qemu_plugin_register_vcpu_mem_inline(insn, PLUGIN_LOADS_AND_STORES,
						     PLUGIN_INLINE_ADD_U64, &accesses, 1);
		qemu_plugin_register_vcpu_mem_cb(insn, on_access, PLUGIN_NO_REGISTERS,
						 PLUGIN_LOADS_AND_STORES, NULL);
	}
}

static void report(plugin_id_t id, void *unused)
{
	(void)id;
	(void)unused;
	fprintf(stderr, "fetches %llu data %llu stores %llu zva %llu\n",
		(unsigned long long)instructions, (unsigned long long)(accesses + zvas),
		(unsigned long long)(stores + zvas), (unsigned long long)zvas);
}

int qemu_plugin_install(plugin_id_t id, const struct plugin_info *info, int argc, char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, report, NULL);
	return 0;
}
