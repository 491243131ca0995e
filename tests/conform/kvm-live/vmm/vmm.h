/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM as the only process of a machine under QEMU: builds VMs from the set-ups of `twostage map`
 * (docs/kvm.md) and lets their guest make the accesses of the script. At each snapshot the guest
 * spins, so that the registers of stage 2 are loaded and the tables can be read from outside.
 *
 * Lines to the console:
 *   @ready kernel=... page=... ipa_limit=... dic=...
 *   @snap SERIAL FAULTS   the guest spins until SERIAL is written to its mailbox
 *   @error CALL:ERRNO     KVM refused; the set-up is over
 *   @end                  the set-up is over
 *   @fail WHY             no result: the harness is wrong
 * Lines from the console are set-ups, "name=... script=...".
 */
#ifndef KVM_LIVE_VMM_H
#define KVM_LIVE_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum backing_kind { BACKING_ANON, BACKING_THP, BACKING_HUGETLB };

struct setup {
	unsigned ipa_bits; /* 0: KVM's default */
	uint64_t base, bytes, skew;
	enum backing_kind backing;
	unsigned hugetlb_bits;
	unsigned flags;	 /* of KVM_SET_USER_MEMORY_REGION */
	unsigned manual; /* of KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
	uint64_t chunk_bytes;
	char *script;
};

struct backing {
	void *reserved;
	size_t reserved_bytes;
	uint64_t user; /* user address of the slot's first byte */
};

struct vm {
	int fd, vcpu, faults_event;
	struct kvm_run *run;
	size_t run_bytes;
	void *code;
	struct backing backing;
	const struct setup *setup;
	uint64_t faults_before;
	unsigned serial; /* of the last snapshot, over all set-ups */
};

/* ---- text.c ---- */

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the machine: without a result there is nothing to go on with. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *errno_name(int error);
/* Reads the next line into `line`. */
void read_line(char *line, size_t bytes);
/* Cuts up `line`, to which `setup` then points. */
void parse_setup(char *line, struct setup *setup);
uint64_t parse_number(const char **text);

/* ---- machine.c ---- */

/* Mounts, huge pages and no background work on memory; then says that it is ready. Returns KVM. */
int machine_prepare(void);
/* Counts stage-2 faults of this process at IPAs of the set-up's slot. */
int faults_open(const struct setup *setup);
void backing_map(struct backing *backing, const struct setup *setup);
void backing_unmap(const struct backing *backing);

/* ---- vm.c ---- */

/* NULL, or the call that KVM refused, with errno. Then only vm_close() may follow. */
const char *vm_open(struct vm *vm, int kvm, const struct setup *setup);
void vm_close(struct vm *vm);
/* False: the guest takes the same fault for ever. */
bool vm_access(struct vm *vm, unsigned operation, uint64_t offset, uint64_t stride, uint64_t count);
void vm_snap(struct vm *vm);
void vm_set_logging(struct vm *vm, bool on);
void vm_get_log(struct vm *vm);
void vm_clear_log(struct vm *vm, uint64_t offset, uint64_t bytes);
/* What the host does to the memory behind the slot: gives pages back, makes small pages a huge one.
 */
void vm_discard(struct vm *vm, uint64_t offset, uint64_t bytes);
void vm_collapse(struct vm *vm, uint64_t offset);

#endif
