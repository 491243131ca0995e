/* SPDX-License-Identifier: BSD-2-Clause */
/* Synthetic traces: vCPUs take turns, VMs take turns on each vCPU, phase follows phase. */
#include "trace/gen.h"

#include <stdlib.h>

#include "trace/gen_pattern.h"
#include "trace/import.h"

enum {
	BATCH_REFS = 8192,
	FIRST_ASID = 1,
	INSTRUCTION_BYTES = 4,
};

struct vcpu {
	uint64_t vm;	  /* that it runs now */
	uint64_t in_turn; /* accesses since it switched to it */
	uint64_t fetched; /* instructions of the loop */
};

/* What a vCPU runs of a VM: one of its processes. */
struct process {
	uint64_t number;   /* of spec->processes */
	uint64_t in_turn;  /* accesses since it was switched to */
	uint64_t in_life;  /* accesses since the last fork */
	uint64_t in_place; /* accesses since it last unmapped something */
	uint64_t unmapped; /* offset in the footprint that comes next */
	uint8_t child;	   /* forks: which of two ASIDs it has */
};

struct run {
	const struct gen_spec *spec;
	struct trace_collapser *collapser;
	struct diag *diag;
	struct vcpu *vcpus;
	struct gen_stream *streams; /* by VM and vCPU */
	struct process *processes;  /* likewise */
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

/* Index of the VM that a vCPU runs now among its streams and processes. */
static size_t place_of(const struct run *run, uint64_t vcpu)
{
	return (size_t)(vcpu * turns(run->spec) + run->vcpus[vcpu].vm / run->spec->vcpus);
}

static struct process *process_of(const struct run *run, uint64_t vcpu)
{
	return &run->processes[place_of(run, vcpu)];
}

static uint16_t asid_of(const struct process *process)
{
	return (uint16_t)(FIRST_ASID + process->number + process->child);
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
		.asid = asid_of(process_of(run, vcpu)),
		.kind = (uint8_t)kind,
		.size = (uint16_t)size,
	};
	return run->n_refs == BATCH_REFS ? flush(run) : STATUS_OK;
}

/* Of what the vCPU runs now. */
static enum exit_status put_event(struct run *run, uint64_t vcpu, enum trace_event_type type,
				  uint64_t first_arg, uint64_t second_arg)
{
	const struct trace_event event = {
		.type = (uint8_t)type,
		.vcpu = (uint16_t)vcpu,
		.vm = (uint16_t)run->vcpus[vcpu].vm,
		.asid = asid_of(process_of(run, vcpu)),
		.args = { first_arg, second_arg },
	};
	const enum exit_status status = flush(run);

	return status ? status : trace_collapse_event(run->collapser, &event, run->diag);
}

static enum exit_status switch_vm(struct run *run, uint64_t vcpu)
{
	struct vcpu *v = &run->vcpus[vcpu];
	const uint64_t vm = next_vm(run->spec, vcpu, v->vm);

	if (vm == v->vm)
		return STATUS_OK;
	v->vm = vm;
	return put_event(run, vcpu, EVENT_VM_SWITCH, 0, 0);
}

static enum exit_status switch_process(struct run *run, uint64_t vcpu)
{
	struct process *process = process_of(run, vcpu);

	process->number = (process->number + 1) % run->spec->processes;
	return put_event(run, vcpu, EVENT_CONTEXT_SWITCH, 0, 0);
}

/* The child goes on where its parent was, which is heard of no more. */
static enum exit_status fork_process(struct run *run, uint64_t vcpu)
{
	struct process *process = process_of(run, vcpu);
	struct process child = *process;
	enum exit_status status;

	child.child ^= 1;
	status = put_event(run, vcpu, EVENT_FORK, asid_of(&child), 0);
	*process = child;
	return status ? status : put_event(run, vcpu, EVENT_CONTEXT_SWITCH, 0, 0);
}

static enum exit_status unmap_next(struct run *run, const struct gen_phase *phase, uint64_t vcpu)
{
	struct process *process = process_of(run, vcpu);
	const uint64_t offset = process->unmapped < phase->footprint ? process->unmapped : 0;
	const uint64_t room = phase->footprint - offset;

	process->unmapped = offset + phase->unmap;
	return put_event(run, vcpu, EVENT_UNMAP, phase->base + offset,
			 phase->unmap < room ? phase->unmap : room);
}

/* What is due before the next access of a vCPU. */
static enum exit_status events(struct run *run, const struct gen_phase *phase, uint64_t vcpu)
{
	enum exit_status status = STATUS_OK;
	struct process *process;

	if (run->vcpus[vcpu].in_turn++ == run->spec->quantum) {
		status = switch_vm(run, vcpu);
		run->vcpus[vcpu].in_turn = 1;
	}
	process = process_of(run, vcpu);
	if (!status && process->in_turn++ == run->spec->process_quantum &&
	    run->spec->processes > 1) {
		status = switch_process(run, vcpu);
		process->in_turn = 1;
	}
	if (!status && phase->fork_every && process->in_life++ == phase->fork_every) {
		status = fork_process(run, vcpu);
		process->in_life = 1;
	}
	if (!status && phase->unmap_every && process->in_place++ == phase->unmap_every) {
		status = unmap_next(run, phase, vcpu);
		process->in_place = 1;
	}
	return status;
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

		status = events(run, phase, vcpu);
		if (!status)
			status = fetch(run, phase, vcpu);
		if (status)
			break;
		access = gen_stream_next(shared, &run->streams[place_of(run, vcpu)]);
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
	run.processes = calloc(spec->vcpus * turns(spec), sizeof(*run.processes));
	run.refs = calloc(BATCH_REFS, sizeof(*run.refs));
	if (!run.vcpus || !run.streams || !run.processes || !run.refs)
		status = diag_set(diag, STATUS_INTERNAL, "out of memory");
	for (uint64_t v = 0; v < spec->vcpus && !status; v++)
		run.vcpus[v].vm = first_vm(spec, v);
	for (uint64_t round = 0; round < spec->repeat && !status; round++)
		for (size_t i = 0; i < spec->n_phases && !status; i++)
			status = run_phase(&run, i, round);
	status = status ? status : flush(&run);
	free(run.vcpus);
	free(run.streams);
	free(run.processes);
	free(run.refs);
	return status;
}
