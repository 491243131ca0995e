/* SPDX-License-Identifier: BSD-2-Clause */
/* Synthetic traces: vCPUs take turns, VMs take turns on each vCPU, phase follows phase. */
#include "trace/gen.h"

#include <stdlib.h>

#include "trace/gen_pattern.h"
#include "trace/import.h"

enum {
	BATCH_REFS = 8192,
	ASID = 1,
	INSTRUCTION_BYTES = 4,
};

struct vcpu {
	uint64_t vm;	  /* that it runs now */
	uint64_t in_turn; /* accesses since it switched to it */
	uint64_t fetched; /* instructions of the loop */
};

struct run {
	const struct gen_spec *spec;
	struct trace_collapser *collapser;
	struct diag *diag;
	struct vcpu *vcpus;
	struct gen_stream *streams; /* by VM and vCPU */
	struct trace_ref *refs;
	size_t n_refs;
};

/* With fewer VMs than vCPUs, several vCPUs belong to one; with more, a vCPU has several. */
static uint64_t first_vm(const struct gen_spec *spec, uint64_t vcpu)
{
	return vcpu % spec->vms;
}

static uint64_t next_vm(const struct gen_spec *spec, uint64_t vcpu, uint64_t vm)
{
	return vm + spec->vcpus < spec->vms ? vm + spec->vcpus : first_vm(spec, vcpu);
}

/* Streams of a vCPU: one for each VM that it runs. */
static uint64_t turns(const struct gen_spec *spec)
{
	return (spec->vms + spec->vcpus - 1) / spec->vcpus;
}

static struct gen_stream *stream_of(const struct run *run, uint64_t vcpu)
{
	return &run->streams[vcpu * turns(run->spec) + run->vcpus[vcpu].vm / run->spec->vcpus];
}

static enum exit_status flush(struct run *run)
{
	enum exit_status status = trace_collapse(run->collapser, run->refs, run->n_refs, run->diag);

	run->n_refs = 0;
	return status;
}

static enum exit_status put(struct run *run, uint64_t vcpu, uint64_t va, enum access_kind kind,
			    uint64_t size, uint32_t instructions)
{
	run->refs[run->n_refs++] = (struct trace_ref){
		.va = va,
		.ipa = TRACE_IPA_UNKNOWN,
		.instructions = instructions,
		.vcpu = (uint16_t)vcpu,
		.vm = (uint16_t)run->vcpus[vcpu].vm,
		.asid = ASID,
		.kind = (uint8_t)kind,
		.size = (uint16_t)size,
	};
	return run->n_refs == BATCH_REFS ? flush(run) : STATUS_OK;
}

static enum exit_status switch_vm(struct run *run, uint64_t vcpu)
{
	struct vcpu *v = &run->vcpus[vcpu];
	uint64_t vm = next_vm(run->spec, vcpu, v->vm);
	struct trace_event event = {
		.type = EVENT_VM_SWITCH, .vcpu = (uint16_t)vcpu, .vm = (uint16_t)vm, .asid = ASID
	};
	enum exit_status status = STATUS_OK;

	v->in_turn = 0;
	if (vm == v->vm)
		return STATUS_OK;
	v->vm = vm;
	status = flush(run);
	return status ? status : trace_collapse_event(run->collapser, &event, run->diag);
}

/* The loop lies in the page-aligned bytes below the data. */
static enum exit_status fetch(struct run *run, const struct gen_phase *phase, uint64_t vcpu)
{
	const uint64_t start = (phase->base - phase->code) & ~UINT64_C(4095);
	uint64_t *fetched = &run->vcpus[vcpu].fetched;
	enum exit_status status = STATUS_OK;

	for (uint64_t i = 0; i < phase->fetches && !status; i++) {
		uint64_t offset = *fetched * INSTRUCTION_BYTES % phase->code;

		++*fetched;
		status = put(run, vcpu, start + offset, ACCESS_FETCH, INSTRUCTION_BYTES, 1);
	}
	return status;
}

static enum exit_status run_slice(struct run *run, const struct gen_shared *shared, uint64_t vcpu,
				  uint64_t n)
{
	const struct gen_phase *phase = shared->phase;
	enum exit_status status = STATUS_OK;

	for (uint64_t i = 0; i < n && !status; i++) {
		struct gen_access access;

		if (run->vcpus[vcpu].in_turn == run->spec->quantum)
			status = switch_vm(run, vcpu);
		if (!status)
			status = fetch(run, phase, vcpu);
		if (status)
			break;
		access = gen_stream_next(shared, stream_of(run, vcpu));
		run->vcpus[vcpu].in_turn++;
		status = put(run, vcpu, access.va, access.kind, phase->size, !phase->fetches);
	}
	return status;
}

static enum exit_status run_phase(struct run *run, size_t index, uint64_t round)
{
	const struct gen_spec *spec = run->spec;
	const struct gen_phase *phase = &spec->phases[index];
	const uint64_t seed = rng_mix(spec->seed + (uint64_t)index * 0x10001 + (round << 32));
	uint64_t left = phase->accesses, vcpu = 0;
	enum exit_status status = STATUS_OK;
	struct gen_shared shared;

	if (!gen_shared_init(&shared, phase, rng_mix(spec->seed + (uint64_t)index)))
		status = diag_set(run->diag, STATUS_INTERNAL, "out of memory");
	for (uint64_t v = 0; v < spec->vcpus * turns(spec) && !status; v++)
		run->streams[v] =
			gen_stream_start(&shared, rng_mix(seed + v), v / turns(spec), spec->vcpus);
	while (left && !status) {
		uint64_t n = left < spec->slice ? left : spec->slice;

		status = run_slice(run, &shared, vcpu, n);
		left -= n;
		vcpu = vcpu + 1 == spec->vcpus ? 0 : vcpu + 1;
	}
	gen_shared_free(&shared);
	return status;
}

enum exit_status gen_run(const struct gen_spec *spec, struct trace_collapser *collapser,
			 struct diag *diag)
{
	struct run run = { .spec = spec, .collapser = collapser, .diag = diag };
	enum exit_status status = STATUS_OK;

	run.vcpus = calloc(spec->vcpus, sizeof(*run.vcpus));
	run.streams = calloc(spec->vcpus * turns(spec), sizeof(*run.streams));
	run.refs = calloc(BATCH_REFS, sizeof(*run.refs));
	if (!run.vcpus || !run.streams || !run.refs)
		status = diag_set(diag, STATUS_INTERNAL, "out of memory");
	for (uint64_t v = 0; v < spec->vcpus && !status; v++)
		run.vcpus[v].vm = first_vm(spec, v);
	for (uint64_t round = 0; round < spec->repeat && !status; round++)
		for (size_t i = 0; i < spec->n_phases && !status; i++)
			status = run_phase(&run, i, round);
	status = status ? status : flush(&run);
	free(run.vcpus);
	free(run.streams);
	free(run.refs);
	return status;
}
