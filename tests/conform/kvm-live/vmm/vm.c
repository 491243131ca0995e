/* SPDX-License-Identifier: BSD-2-Clause */
/* One VM with one vCPU: the guest's page at IPA 0 and the slot under test. */
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "guest.h"
#include "vmm.h"

/* Since Linux 6.5, later than the headers. */
#define CAP_EAGER_SPLIT_CHUNK_SIZE 228
/* Since Linux 6.1. */
#define MADVISE_COLLAPSE 25

#define CORE_REG(offset)                                                                           \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(offset))
#define X_REG(n) (CORE_REG(regs.regs[0]) + 2 * (n))
#define VBAR_EL1 ARM64_SYS_REG(3, 0, 12, 0, 0)

/* A guest that takes so many faults and makes no access in this time hangs. */
#define TICK_S	    2
#define HANG_FAULTS 1000

extern const char guest_page[GUEST_PAGE_BYTES];

static void set_reg(const struct vm *vm, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)&value };

	if (ioctl(vm->vcpu, KVM_SET_ONE_REG, &reg) != 0)
		fail("KVM_SET_ONE_REG %llx: %s", (unsigned long long)id, strerror(errno));
}

static uint64_t get_reg(const struct vm *vm, uint64_t id)
{
	uint64_t value;
	struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)&value };

	if (ioctl(vm->vcpu, KVM_GET_ONE_REG, &reg) != 0)
		fail("KVM_GET_ONE_REG %llx: %s", (unsigned long long)id, strerror(errno));
	return value;
}

static uint64_t count_faults(const struct vm *vm)
{
	uint64_t count;

	if (read(vm->faults_event, &count, sizeof(count)) != sizeof(count))
		fail("perf event: %s", strerror(errno));
	return count;
}

static void ignore(int signal)
{
	(void)signal;
}

/* Signals interrupt KVM_RUN, so that a guest that hangs is noticed. */
static void tick(bool on)
{
	const struct sigaction action = { .sa_handler = ignore };
	const struct itimerval timer = { .it_interval.tv_sec = on ? TICK_S : 0,
					 .it_value.tv_sec = on ? TICK_S : 0 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Runs the guest up to its doorbell; false: it hangs. */
static bool run(const struct vm *vm)
{
	uint64_t faults = count_faults(vm), left = UINT64_MAX;

	for (;;) {
		const int result = ioctl(vm->vcpu, KVM_RUN, 0);

		if (result == 0 && vm->run->exit_reason == KVM_EXIT_MMIO) {
			if (vm->run->mmio.phys_addr == GUEST_DOORBELL)
				return true;
			/* A write to a read-only slot: goes nowhere. */
			continue;
		}
		if (result == 0 || errno != EINTR)
			fail("KVM_RUN: exit %u, %s", vm->run->exit_reason,
			     result ? strerror(errno) : "");
		if (get_reg(vm, X_REG(3)) == left && count_faults(vm) - faults > HANG_FAULTS)
			return false;
		left = get_reg(vm, X_REG(3));
		faults = count_faults(vm);
	}
}

static void open_vcpu(struct vm *vm, int kvm)
{
	struct kvm_vcpu_init init;

	vm->vcpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	if (vm->vcpu < 0 || ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, &init) != 0 ||
	    ioctl(vm->vcpu, KVM_ARM_VCPU_INIT, &init) != 0)
		fail("vCPU: %s", strerror(errno));
	vm->run_bytes = (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm->run = mmap(NULL, vm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
	if (vm->run == MAP_FAILED)
		fail("mmap of the vCPU: %s", strerror(errno));
	set_reg(vm, CORE_REG(regs.pc), GUEST_ENTRY);
	set_reg(vm, VBAR_EL1, 0);
	set_reg(vm, X_REG(4), GUEST_DOORBELL);
	set_reg(vm, X_REG(5), GUEST_MAILBOX);
}

static void enable(const struct vm *vm, uint32_t capability, uint64_t value)
{
	struct kvm_enable_cap cap = { .cap = capability, .args = { value } };

	if (value && ioctl(vm->fd, KVM_ENABLE_CAP, &cap) != 0)
		fail("KVM_ENABLE_CAP %u: %s", capability, strerror(errno));
}

static void add_code(struct vm *vm)
{
	struct kvm_userspace_memory_region region = { .memory_size = GUEST_SLOT_BYTES };
	const uint64_t mark = GUEST_MARK_WORD;

	if (posix_memalign(&vm->code, GUEST_SLOT_BYTES, GUEST_SLOT_BYTES) != 0)
		fail("no memory");
	madvise(vm->code, GUEST_SLOT_BYTES, MADV_NOHUGEPAGE);
	memcpy(vm->code, guest_page, GUEST_PAGE_BYTES);
	memcpy((char *)vm->code + GUEST_MARK, &mark, sizeof(mark));
	__builtin___clear_cache(vm->code, (char *)vm->code + GUEST_PAGE_BYTES);
	region.userspace_addr = (uint64_t)vm->code;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) != 0)
		fail("slot of the code: %s", strerror(errno));
}

static int set_slot(const struct vm *vm, unsigned flags)
{
	const struct setup *setup = vm->setup;
	struct kvm_userspace_memory_region region = { .slot = 1,
						      .flags = flags,
						      .guest_phys_addr = setup->base,
						      .memory_size = setup->bytes,
						      .userspace_addr = vm->backing.user };

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

const char *vm_open(struct vm *vm, int kvm, const struct setup *setup)
{
	*vm = (struct vm){ .setup = setup, .serial = vm->serial, .vcpu = -1, .faults_event = -1 };
	vm->fd = ioctl(kvm, KVM_CREATE_VM, KVM_VM_TYPE_ARM_IPA_SIZE(setup->ipa_bits));
	if (vm->fd < 0)
		return "KVM_CREATE_VM";
	vm->faults_event = faults_open(setup);
	/* Chunks are refused once there is a slot. */
	enable(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, setup->manual);
	enable(vm, CAP_EAGER_SPLIT_CHUNK_SIZE, setup->chunk_bytes);
	add_code(vm);
	backing_map(&vm->backing, setup);
	if (set_slot(vm, setup->flags) != 0)
		return "KVM_SET_USER_MEMORY_REGION";
	open_vcpu(vm, kvm);
	if (!run(vm))
		fail("the guest does not begin");
	return NULL;
}

void vm_close(struct vm *vm)
{
	if (vm->run)
		munmap(vm->run, vm->run_bytes);
	for (int fd = 0; fd < 3; fd++) {
		const int open_fd = (const int[]){ vm->vcpu, vm->faults_event, vm->fd }[fd];

		if (open_fd >= 0)
			close(open_fd);
	}
	if (vm->backing.reserved)
		backing_unmap(&vm->backing);
	free(vm->code);
}

bool vm_access(struct vm *vm, unsigned operation, uint64_t offset, uint64_t stride, uint64_t count)
{
	bool done;

	set_reg(vm, X_REG(0), operation);
	set_reg(vm, X_REG(1), vm->setup->base + offset);
	set_reg(vm, X_REG(2), stride);
	set_reg(vm, X_REG(3), count);
	tick(true);
	done = run(vm);
	tick(false);
	return done;
}

void vm_snap(struct vm *vm)
{
	const uint64_t faults = count_faults(vm);

	vm->serial++;
	say("snap %u %llu", vm->serial, (unsigned long long)(faults - vm->faults_before));
	vm->faults_before = faults;
	set_reg(vm, X_REG(0), GUEST_SPIN);
	set_reg(vm, X_REG(3), 1);
	set_reg(vm, X_REG(6), vm->serial);
	if (!run(vm))
		fail("the guest does not spin");
}

void vm_set_logging(struct vm *vm, bool on)
{
	const unsigned flags = vm->setup->flags & KVM_MEM_READONLY;

	if (set_slot(vm, flags | (on ? KVM_MEM_LOG_DIRTY_PAGES : 0)) != 0)
		fail("dirty logging: %s", strerror(errno));
}

/* One bit for each page, whole words. KVM refuses without logging; that changes nothing. */
static void *bitmap_of(const struct vm *vm)
{
	const uint64_t pages = vm->setup->bytes / (uint64_t)sysconf(_SC_PAGESIZE);
	void *bitmap = malloc((pages + 63) / 64 * 8);

	if (!bitmap)
		fail("no memory");
	memset(bitmap, 0xff, (pages + 63) / 64 * 8);
	return bitmap;
}

void vm_get_log(struct vm *vm)
{
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap_of(vm) };

	ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log);
	free(log.dirty_bitmap);
}

void vm_clear_log(struct vm *vm, uint64_t offset, uint64_t bytes)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct kvm_clear_dirty_log log = { .slot = 1,
					   .first_page = offset / page,
					   .num_pages = (uint32_t)(bytes / page),
					   .dirty_bitmap = bitmap_of(vm) };

	ioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &log);
	free(log.dirty_bitmap);
}

void vm_discard(struct vm *vm, uint64_t offset, uint64_t bytes)
{
	if (madvise((void *)(vm->backing.user + offset), bytes, MADV_DONTNEED) != 0)
		fail("MADV_DONTNEED: %s", strerror(errno));
}

/* As khugepaged does, only at once. Memory that cannot be collapsed stays as it is. */
void vm_collapse(struct vm *vm, uint64_t offset)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), pmd = page * page / 8;
	const uint64_t address = (vm->backing.user + offset) / pmd * pmd;

	madvise((void *)address, pmd, MADVISE_COLLAPSE);
}
