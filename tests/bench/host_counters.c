/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/host_counters.h"

#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	uint32_t type;
	uint64_t config;
} counters_of_host[HOST_COUNTERS] = {
	[HOST_CYCLES] = { "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	[HOST_CACHE_MISSES] = { "cache_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES },
	[HOST_TLB_MISSES] = { "dtlb_misses", PERF_TYPE_HW_CACHE,
			      PERF_COUNT_HW_CACHE_DTLB | PERF_COUNT_HW_CACHE_OP_READ << 8 |
				      PERF_COUNT_HW_CACHE_RESULT_MISS << 16 },
};

const char *host_counter_name(enum host_counter counter)
{
	return counters_of_host[counter].name;
}

static int open_counter(enum host_counter counter)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = counters_of_host[counter].type;
	attr.config = counters_of_host[counter].config;
	attr.disabled = 1;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	attr.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

void host_counters_start(struct host_counters *counters)
{
	for (int i = 0; i < HOST_COUNTERS; i++)
		counters->fd[i] = open_counter((enum host_counter)i);
	for (int i = 0; i < HOST_COUNTERS; i++)
		if (counters->fd[i] >= 0)
			ioctl(counters->fd[i], PERF_EVENT_IOC_ENABLE, 0);
}

/* What the kernel hands out, with the read_format above. */
struct reading {
	uint64_t value, enabled, running;
};

static bool read_counter(int fd, uint64_t *count)
{
	struct reading reading;

	if (read(fd, &reading, sizeof(reading)) != (ssize_t)sizeof(reading) || !reading.running)
		return false;
	*count = (uint64_t)((double)reading.value * (double)reading.enabled /
			    (double)reading.running);
	return true;
}

void host_counters_stop(struct host_counters *counters, uint64_t count[HOST_COUNTERS],
			bool known[HOST_COUNTERS])
{
	for (int i = 0; i < HOST_COUNTERS; i++) {
		const int fd = counters->fd[i];

		known[i] = false;
		if (fd < 0)
			continue;
		ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
		known[i] = read_counter(fd, &count[i]);
		close(fd);
	}
}
