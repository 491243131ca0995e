/* SPDX-License-Identifier: BSD-2-Clause */
#include "timing/timing.h"

#include <stdlib.h>
#include <string.h>

/* Events that are gathered before all vCPUs must run: of all together, and of one. */
enum { EVENTS_ALL = 1 << 20, EVENTS_MIN = 1 << 11, EVENTS_MAX = 1 << 16 };

struct timing {
	struct mmu *mmu;
	struct systemc *systemc;
	struct timing_stream *streams; /* per vCPU */
	struct timing_event *events;   /* of all streams */
	uint64_t *passed;	       /* of each vCPU, since its last event */
	size_t capacity;	       /* events of one stream */
	uint32_t vcpus, vcpu;	       /* the current one */
	int failed;
	char why[256];
};

static void drain(struct timing *timing)
{
	for (uint32_t i = 0; i < timing->vcpus; i++) {
		timing->streams[i].rest = timing->passed[i];
		timing->passed[i] = 0;
	}
	if (!timing->failed)
		timing->failed = systemc_replay(timing->systemc, timing->streams, timing->why,
						sizeof(timing->why));
	for (uint32_t i = 0; i < timing->vcpus; i++)
		timing->streams[i].n = 0;
}

static void listen(void *ctx, uint32_t vcpu, enum mmu_event_type type, uint64_t value)
{
	struct timing *timing = ctx;
	const uint32_t who = vcpu == MMU_ALL_VCPUS ? timing->vcpu : vcpu;
	struct timing_stream *stream = &timing->streams[who];

	if (stream->n == timing->capacity)
		drain(timing);
	timing->events[who * timing->capacity + stream->n++] = (struct timing_event){
		.passed = timing->passed[who],
		.what = (uint64_t)type << MMU_EVENT_VALUE_BITS | value,
	};
	timing->passed[who] = 0;
}

static bool allocate(struct timing *timing)
{
	const size_t share = EVENTS_ALL / timing->vcpus;

	timing->capacity = share > EVENTS_MAX	? EVENTS_MAX
			   : share < EVENTS_MIN ? EVENTS_MIN
						: share;
	timing->streams = calloc(timing->vcpus, sizeof(*timing->streams));
	timing->events = malloc(timing->vcpus * timing->capacity * sizeof(*timing->events));
	timing->passed = calloc(timing->vcpus, sizeof(*timing->passed));
	if (!timing->streams || !timing->events || !timing->passed)
		return false;
	for (uint32_t i = 0; i < timing->vcpus; i++)
		timing->streams[i].events = timing->events + i * timing->capacity;
	return true;
}

struct timing *timing_create(const struct timing_config *config, struct mmu *mmu, struct diag *diag)
{
	const struct timing_counts counts = { &mmu->stats, mmu->latencies };
	struct timing *timing;

	if (config->vcpus > SYSTEMC_VCPUS_MAX) {
		diag_set(diag, STATUS_BAD_INPUT,
			 "timing.backend: systemc has room for %d vCPUs, the trace has %u",
			 SYSTEMC_VCPUS_MAX, config->vcpus);
		return NULL;
	}
	timing = calloc(1, sizeof(*timing));
	if (!timing) {
		diag_set(diag, STATUS_INTERNAL, "out of memory");
		return NULL;
	}
	timing->mmu = mmu;
	timing->vcpus = config->vcpus;
	if (!allocate(timing)) {
		diag_set(diag, STATUS_INTERNAL, "out of memory");
		timing_destroy(timing);
		return NULL;
	}
	mmu->listener = (struct mmu_listener){
		.event = listen,
		.ctx = timing,
		.passed = timing->passed,
	};
	timing->systemc = systemc_create(config, &counts, timing->why, sizeof(timing->why));
	if (!timing->systemc) {
		diag_set(diag, STATUS_INTERNAL, "SystemC: %s", timing->why);
		timing_destroy(timing);
		return NULL;
	}
	return timing;
}

void timing_destroy(struct timing *timing)
{
	if (!timing)
		return;
	timing->mmu->listener = (struct mmu_listener){ 0 };
	free(timing->streams);
	free(timing->events);
	free(timing->passed);
	free(timing);
}

void timing_on(struct timing *timing, uint32_t vcpu)
{
	timing->vcpu = vcpu;
}

void timing_lookups(struct timing *timing, enum mmu_stream stream, uint64_t n)
{
	const struct mmu_shape *shape = &timing->mmu->shape;

	timing->passed[timing->vcpu] +=
		n * (stream == MMU_FETCH ? shape->l1i.hit_cycles : shape->l1d.hit_cycles);
}

enum exit_status timing_sync(struct timing *timing, struct diag *diag)
{
	drain(timing);
	if (timing->failed)
		return diag_set(diag, STATUS_INTERNAL, "SystemC: %s", timing->why);
	return STATUS_OK;
}
