/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the capture plug-in uses of QEMU's TCG plug-in API, version 1 (QEMU 7.2 of Debian 12, which
 * ships no header for it): the names, signatures and values of the interface, which QEMU resolves
 * when it loads the plug-in.
 */
#ifndef TWOSTAGE_CAPTURE_QEMU_H
#define TWOSTAGE_CAPTURE_QEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLUGIN_EXPORT __attribute__((visibility("default")))

enum { PLUGIN_API_VERSION = 1 };

/* No callback of ours touches guest registers through the API: version 1 has no call for it. */
enum plugin_registers { PLUGIN_NO_REGISTERS = 0 };
enum plugin_memory { PLUGIN_LOADS = 1, PLUGIN_STORES = 2, PLUGIN_LOADS_AND_STORES = 3 };
enum plugin_inline { PLUGIN_INLINE_ADD_U64 = 0 };

typedef uint64_t plugin_id_t;
typedef uint32_t plugin_meminfo_t;

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;

struct plugin_info {
	const char *target_name;
	struct {
		int least, current;
	} api_version;
	bool system_emulation;
	struct {
		int smp_vcpus, max_vcpus;
	} system; /* only with system_emulation */
};

typedef void (*plugin_simple_cb)(plugin_id_t id);
typedef void (*plugin_udata_cb)(plugin_id_t id, void *udata);
typedef void (*plugin_vcpu_cb)(plugin_id_t id, unsigned vcpu);
typedef void (*plugin_exec_cb)(unsigned vcpu, void *udata);
typedef void (*plugin_translate_cb)(plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*plugin_memory_cb)(unsigned vcpu, plugin_meminfo_t info, uint64_t va, void *udata);
typedef void (*plugin_syscall_cb)(plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1,
				  uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
				  uint64_t a7, uint64_t a8);
typedef void (*plugin_syscall_return_cb)(plugin_id_t id, unsigned vcpu, int64_t number,
					 int64_t result);

/* What a plug-in defines. */
extern PLUGIN_EXPORT int qemu_plugin_version;
PLUGIN_EXPORT int qemu_plugin_install(plugin_id_t id, const struct plugin_info *info, int argc,
				      char **argv);

/* What QEMU defines. */
void qemu_plugin_reset(plugin_id_t id, plugin_simple_cb done);
void qemu_plugin_register_vcpu_exit_cb(plugin_id_t id, plugin_vcpu_cb cb);
void qemu_plugin_register_vcpu_idle_cb(plugin_id_t id, plugin_vcpu_cb cb);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id_t id, plugin_translate_cb cb);
void qemu_plugin_register_atexit_cb(plugin_id_t id, plugin_udata_cb cb, void *udata);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id_t id, plugin_syscall_cb cb);
void qemu_plugin_register_vcpu_syscall_ret_cb(plugin_id_t id, plugin_syscall_return_cb cb);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, plugin_exec_cb cb,
					    enum plugin_registers registers, void *udata);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn,
						enum plugin_inline op, void *counter,
						uint64_t value);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, plugin_memory_cb cb,
				      enum plugin_registers registers, enum plugin_memory rw,
				      void *udata);
void qemu_plugin_register_vcpu_mem_inline(struct qemu_plugin_insn *insn, enum plugin_memory rw,
					  enum plugin_inline op, void *counter, uint64_t value);

unsigned qemu_plugin_mem_size_shift(plugin_meminfo_t info);
bool qemu_plugin_mem_is_store(plugin_meminfo_t info);

/* System emulation, only inside a memory callback; NULL in user emulation. */
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(plugin_meminfo_t info, uint64_t va);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *address);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *address);

#endif
