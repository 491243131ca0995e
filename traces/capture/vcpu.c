/* SPDX-License-Identifier: BSD-2-Clause */
/* The hot path: every instruction and every data access of the guest comes through here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Stands for each vCPU that has not been seen yet: its first access takes a turn. */
static struct vcpu unseen;
struct vcpu *capture_vcpus[MAX_VCPUS];

void vcpu_prepare(void)
{
	for (size_t i = 0; i < MAX_VCPUS; i++)
		capture_vcpus[i] = &unseen;
}

struct vcpu *vcpu_get(unsigned index)
{
	struct vcpu **slot = &capture_vcpus[index & (MAX_VCPUS - 1)];

	if (*slot != &unseen)
		return *slot;
	struct vcpu *v = aligned_alloc(_Alignof(struct vcpu), sizeof(*v));

	if (!v) {
		fprintf(capture.messages, "capture: error: out of memory for vCPU %u\n", index);
		_exit(STATUS_INTERNAL);
	}
	memset(v, 0, sizeof(*v));
	v->index = (uint16_t)index;
	v->fetch_unit = v->data_unit = NO_UNIT;
	pthread_mutex_lock(&capture.lock);
	*slot = v;
	v->next = capture.vcpus;
	capture.vcpus = v;
	capture.n_vcpus++;
	pthread_mutex_unlock(&capture.lock);
	return v;
}

/* Make the next access take a turn, without forgetting how many are left. */
static void interrupt(struct vcpu *v)
{
	if (v->interrupted)
		return;
	v->interrupted = true;
	v->kept = v->left;
	v->left = 0;
}

static void resume(struct vcpu *v)
{
	if (!v->interrupted)
		return;
	v->interrupted = false;
	v->left = v->kept;
}

static bool segment_is_full(const struct segment *s)
{
	return s->n_runs > SEGMENT_RUNS - SEGMENT_RESERVE;
}

static void close_segment(struct vcpu *v, enum ledger_close how)
{
	v->fetch_unit = v->data_unit = NO_UNIT;
	ledger_close(v, how);
}

static struct vcpu *take_turn(unsigned index)
{
	struct vcpu *v = vcpu_get(index);

	resume(v);
	if (v->special) {
		uint32_t insn = v->special;

		v->special = 0;
		guest_special(v, insn);
		resume(v);
	}
	if (v->mode == MODE_RECORDING) {
		if (v->left == 0 || segment_is_full(v->segment))
			close_segment(v, CLOSE_NEW_EPOCH);
		else if (v->epoch != atomic_load_explicit(&capture.epoch, memory_order_relaxed))
			close_segment(v, CLOSE_KEEP_EPOCH);
	} else if (v->left == 0) {
		v->mode = MODE_PARKED;
	}
	while (v->mode == MODE_PARKED) {
		ledger_open(v);
		if (v->mode == MODE_RECORDING && !v->introduced)
			guest_introduce(v);
	}
	if (v->mode != MODE_RECORDING)
		v->epoch = atomic_load_explicit(&capture.epoch, memory_order_relaxed);
	return v;
}

/* Counts one access; NULL: it is not to be recorded. */
static inline struct vcpu *begin_access(unsigned index)
{
	struct vcpu *v = capture_vcpus[index & (MAX_VCPUS - 1)];

	if (UNLIKELY(v->left == 0 ||
		     v->epoch != atomic_load_explicit(&capture.epoch, memory_order_relaxed)))
		v = take_turn(index);
	v->left--;
	return v->segment ? v : NULL;
}

static struct trace_run *open_run(struct vcpu *v, enum trace_stream stream, uint64_t va)
{
	const uint64_t unit = ~UINT64_C(0) << capture.granularity;
	struct segment *s = v->segment;
	struct trace_run *run = &s->runs[s->n_runs++];

	*run = (struct trace_run){
		.key = { .va = va & unit,
			 .ipa = TRACE_IPA_UNKNOWN,
			 .vcpu = v->index,
			 .asid = v->asid,
			 .el = v->el,
			 .stream = (uint8_t)stream },
		.instructions = v->begun,
		.ordinal = v->pieces,
		.store_ordinal = UINT64_MAX,
	};
	v->begun = 0;
	if (segment_is_full(s))
		interrupt(v);
	return run;
}

static void set_ipa(struct trace_run *run, uint64_t page_ipa, uint64_t va)
{
	const uint64_t unit = ~UINT64_C(0) << capture.granularity;

	if (page_ipa != TRACE_IPA_UNKNOWN)
		run->key.ipa = (page_ipa | (va & ((1u << PAGE_BITS) - 1))) & unit;
}

static void begin_fetch_run(struct vcpu *v, uint64_t pc)
{
	/* Linux: the kernel lives in the upper half. API version 1 has no other word of the EL. */
	const uint8_t el = (uint8_t)(pc >> 63);

	if (el != v->el) {
		v->el = el;
		v->data_unit = NO_UNIT;
	}
	v->fetch = open_run(v, STREAM_FETCH, pc);
	v->fetch_unit = pc >> capture.granularity;
	if (capture.granularity == TRACE_RAW) {
		v->fetch->key.size_log2 = 2;
		v->fetch_unit = NO_UNIT;
	}
	if (capture.system)
		set_ipa(v->fetch, guest_ipa(v, pc), pc);
}

void vcpu_fetch(unsigned index, void *udata)
{
	struct vcpu *v = begin_access(index);
	const uint64_t pc = (uintptr_t)udata;

	if (!v)
		return;
	v->begun++;
	if (pc >> capture.granularity != v->fetch_unit)
		begin_fetch_run(v, pc);
	v->fetch->reads++;
	v->fetch->last_ordinal = v->pieces++;
}

/* How QEMU or we know where a data access goes. */
struct data_access {
	const plugin_meminfo_t *info; /* NULL: not reported by QEMU */
	uint64_t va;
	unsigned size_log2;
	bool store;
};

static void find_data_ipa(const struct vcpu *v, struct trace_run *run,
			  const struct data_access *access, uint64_t va)
{
	const struct qemu_plugin_hwaddr *address = NULL;

	/* QEMU knows it for the page of the first byte only. */
	if (access->info && va == access->va)
		address = qemu_plugin_get_hwaddr(*access->info, va);
	if (!address) {
		set_ipa(run, guest_ipa(v, va), va);
		return;
	}
	run->key.device = qemu_plugin_hwaddr_is_io(address);
	set_ipa(run, qemu_plugin_hwaddr_phys_addr(address) >> PAGE_BITS << PAGE_BITS, va);
}

/* The piece at `va`: where the access starts, or where it enters its second page. */
static struct trace_run *data_piece(struct vcpu *v, const struct data_access *access, uint64_t va)
{
	if (va >> capture.granularity != v->data_unit) {
		v->data = open_run(v, STREAM_DATA, va);
		v->data_unit = va >> capture.granularity;
		if (capture.granularity == TRACE_RAW) {
			v->data->key.size_log2 =
				(uint8_t)(va == access->va ? access->size_log2 : 0);
			v->data_unit = NO_UNIT;
		}
		if (capture.system)
			find_data_ipa(v, v->data, access, va);
	} else if (UNLIKELY(capture.system && v->data->key.ipa == TRACE_IPA_UNKNOWN)) {
		find_data_ipa(v, v->data, access, va);
	}
	if (access->store && v->data->store_ordinal == UINT64_MAX)
		v->data->store_ordinal = v->pieces;
	v->data->last_ordinal = v->pieces++;
	return v->data;
}

static void record_data(struct vcpu *v, const struct data_access *access)
{
	const uint64_t last = access->va + (UINT64_C(1) << access->size_log2) - 1;
	struct trace_run *run = data_piece(v, access, access->va);

	if (access->store)
		run->stores++;
	else
		run->reads++;
	if (UNLIKELY((access->va ^ last) >> PAGE_BITS))
		data_piece(v, access, last >> PAGE_BITS << PAGE_BITS)->splits++;
}

void vcpu_data(unsigned index, plugin_meminfo_t info, uint64_t va, void *unused)
{
	struct vcpu *v = begin_access(index);

	(void)unused;
	if (!v)
		return;
	record_data(v, &(struct data_access){ .info = &info,
					      .va = va,
					      .size_log2 = qemu_plugin_mem_size_shift(info),
					      .store = qemu_plugin_mem_is_store(info) });
}

void vcpu_store(unsigned index, uint64_t va, unsigned bytes)
{
	struct vcpu *v = begin_access(index);

	if (v)
		record_data(v, &(struct data_access){ .va = va,
						      .size_log2 = (unsigned)__builtin_ctz(bytes),
						      .store = true });
}

void vcpu_special(unsigned index, void *udata)
{
	struct vcpu *v = vcpu_get(index);

	if (v->mode == MODE_OFF)
		return;
	v->special = (uint32_t)(uintptr_t)udata;
	interrupt(v);
}

void vcpu_watch(unsigned index, void *unused)
{
	struct vcpu *v = capture_vcpus[index & (MAX_VCPUS - 1)];
	const uint32_t insn = v->special;

	(void)unused;
	if (!insn)
		return;
	v->special = 0;
	resume(v);
	guest_special(v, insn);
}

void vcpu_park(unsigned index)
{
	struct vcpu *v = vcpu_get(index);

	resume(v);
	if (v->mode == MODE_RECORDING) {
		close_segment(v, CLOSE_KEEP_EPOCH);
		v->left = 0;
	}
	if (v->special)
		interrupt(v);
}
