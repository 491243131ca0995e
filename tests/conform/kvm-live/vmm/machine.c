/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine around KVM: file systems, huge pages, memory for slots, the count of faults. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include "vmm.h"

#define GIB	(UINT64_C(1) << 30)
#define MIB	(UINT64_C(1) << 20)
#define TRACING "/sys/kernel/tracing"

static void write_file(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail("%s: %s", path, strerror(errno));
	close(fd);
}

static long read_number(const char *path)
{
	char text[64] = "";
	const int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		fail("%s: %s", path, strerror(errno));
	close(fd);
	return atol(text);
}

static void open_console(void)
{
	struct termios settings;
	const int fd = open("/dev/ttyAMA0", O_RDWR);

	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	tcgetattr(STDIN_FILENO, &settings);
	cfmakeraw(&settings);
	tcsetattr(STDIN_FILENO, TCSANOW, &settings);
}

/* At least `bytes` of huge pages of each size that the kernel has; 1G ones come from its command
 * line. */
static void reserve_huge_pages(unsigned size_bits, uint64_t bytes)
{
	char path[128], count[32];

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages",
		 1ULL << (size_bits - 10));
	if (access(path, F_OK) != 0)
		return;
	snprintf(count, sizeof(count), "%llu", (unsigned long long)(bytes >> size_bits));
	if (read_number(path) < atol(count))
		write_file(path, count);
	if (read_number(path) < atol(count))
		fail("%s: fewer than %s", path, count);
}

static void mount_all(void)
{
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	open_console();
	if (mount("proc", "/proc", "proc", 0, NULL) != 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) != 0 ||
	    mount("tracefs", TRACING, "tracefs", 0, NULL) != 0)
		fail("mount: %s", strerror(errno));
}

int machine_prepare(void)
{
	int kvm;
	struct utsname name;
	uint64_t ctr;
	unsigned major, minor;

	mount_all();
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		fail("/dev/kvm: %s", strerror(errno));
	write_file("/proc/sys/vm/overcommit_memory", "1");
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "always");
	write_file("/sys/kernel/mm/transparent_hugepage/defrag", "always");
	/* Nothing is to change behind KVM's back. */
	write_file("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs",
		   "4000000000");
	reserve_huge_pages(16, 96 * MIB);
	reserve_huge_pages(21, 512 * MIB);
	reserve_huge_pages(25, 256 * MIB);
	uname(&name);
	if (sscanf(name.release, "%u.%u", &major, &minor) != 2)
		fail("kernel '%s'", name.release);
	__asm__("mrs %0, ctr_el0" : "=r"(ctr));
	say("ready kernel=%u.%u page=%ldk ipa_limit=%d dic=%d", major, minor,
	    sysconf(_SC_PAGESIZE) >> 10, ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE),
	    (int)(ctr >> 29 & 1));
	return kvm;
}

int faults_open(const struct setup *setup)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	char filter[128];
	int fd;

	attr.config = (uint64_t)read_number(TRACING "/events/kvm/kvm_guest_fault/id");
	fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	snprintf(filter, sizeof(filter), "ipa >= 0x%llx && ipa < 0x%llx",
		 (unsigned long long)setup->base, (unsigned long long)(setup->base + setup->bytes));
	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter) != 0)
		fail("perf event: %s", strerror(errno));
	return fd;
}

/* The area reaches to the huge page boundary around the slot, as the model assumes. */
void backing_map(struct backing *backing, const struct setup *setup)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	/* PMD: as many descriptors as fit a page. */
	const uint64_t align = setup->backing == BACKING_ANON  ? page
			       : setup->backing == BACKING_THP ? page * page / 8
							       : UINT64_C(1) << setup->hugetlb_bits;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uint64_t start, end;
	void *area;

	backing->reserved_bytes = setup->bytes + 4 * GIB;
	backing->reserved = mmap(NULL, backing->reserved_bytes, PROT_NONE, flags, -1, 0);
	if (backing->reserved == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	backing->user = ((uint64_t)backing->reserved + GIB - 1) / GIB * GIB +
			(setup->base + setup->skew) % GIB;
	start = backing->user / align * align;
	end = (backing->user + setup->bytes + align - 1) / align * align;
	flags |= MAP_FIXED;
	if (setup->backing == BACKING_HUGETLB)
		flags |= MAP_HUGETLB | (int)(setup->hugetlb_bits << MAP_HUGE_SHIFT);
	area = mmap((void *)start, end - start, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (area == MAP_FAILED)
		fail("mmap of the slot: %s", strerror(errno));
	if (setup->backing != BACKING_HUGETLB &&
	    madvise(area, end - start,
		    setup->backing == BACKING_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) != 0)
		fail("madvise: %s", strerror(errno));
}

void backing_unmap(const struct backing *backing)
{
	munmap(backing->reserved, backing->reserved_bytes);
}
