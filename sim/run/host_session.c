/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/host_session.h"

#include <string.h>

static void plan(struct host_session *session, enum host_action action, uint64_t first,
		 uint64_t period)
{
	session->next[action] = first ? first : UINT64_MAX;
	session->period[action] = period;
}

static void set_due(struct host_session *session)
{
	session->due = UINT64_MAX;
	for (unsigned i = 0; i < HOST_ACTIONS; i++)
		if (session->next[i] < session->due)
			session->due = session->next[i];
}

/* Slice after slice each CPU takes the next VM of one queue. */
static void run_slice(struct host_session *session)
{
	struct machine *machine = session->machine;
	const uint32_t cpus = machine->mmu.shape.vcpus;

	for (uint32_t cpu = 0; cpu < cpus; cpu++)
		machine_switch_vm(machine, cpu,
				  (uint32_t)((session->slice * cpus + cpu) % machine->vms_count));
	session->slice++;
}

void host_session_init(struct host_session *session, struct machine *machine)
{
	const struct config *config = &machine->config;
	const uint64_t sync = config->host.log_sync;

	memset(session, 0, sizeof(*session));
	session->machine = machine;
	for (unsigned i = 0; i < HOST_ACTIONS; i++)
		plan(session, (enum host_action)i, 0, 0);
	plan(session, HOST_LOG_START, config->host.log_start, 0);
	plan(session, HOST_LOG_SYNC, sync ? config->host.log_start + sync : 0, sync);
	plan(session, HOST_LOG_STOP, config->host.log_stop, 0);
	plan(session, HOST_AGE, config->host.age_period, config->host.age_period);
	plan(session, HOST_SCAN, config->host.scan_period, config->host.scan_period);
	plan(session, HOST_TIMESLICE, config->host.vms ? config->host.timeslice : 0,
	     config->host.timeslice);
	if (machine->devices) {
		plan(session, HOST_DEVICE_RESET, config->device.reset_period,
		     config->device.reset_period);
		plan(session, HOST_DEVICE_DMA, config->device.dma_period,
		     config->device.dma_period);
	}
	if (config->host.vms)
		run_slice(session);
	set_due(session);
}

bool host_session_watches_stores(const struct host_session *session)
{
	return session->machine->config.host.log_start != 0;
}

bool host_session_schedules(const struct host_session *session)
{
	return session->machine->config.host.vms != 0;
}

static struct host_sample sample(const struct machine *machine, uint64_t lookups)
{
	const uint64_t *v = machine->mmu.stats.v;
	struct host_sample now = {
		.lookups = lookups,
		.l2_tlb_misses = v[STAT_l2_tlb_misses],
		.walk_cycles = v[STAT_walk_cycles],
		.software_cycles = machine_software_cycles(machine),
	};

	for (uint32_t i = 0; i < machine->vms_count; i++)
		now.s2_faults += vm_s2_faults(machine->vms[i]);
	return now;
}

/* What userspace and the kernel do there belongs to the phase that begins. */
static void end_phase(struct host_session *session)
{
	session->sample[session->phase++] = sample(session->machine, session->due);
}

/* What the host does to one VM. */
static enum exit_status act_on_vm(struct host_session *session, enum host_action action,
				  struct vm *vm, struct diag *diag)
{
	const struct config *config = &session->machine->config;

	switch (action) {
	case HOST_LOG_STOP:
		return vm_set_logging(vm, false, diag);
	case HOST_LOG_START:
		return vm_set_logging(vm, true, diag);
	case HOST_LOG_SYNC:
		vm_sync_log(vm);
		break;
	case HOST_AGE:
		vm_age(vm, strcmp(config->host.age_flush, "yes") == 0 ? VM_FLUSH : VM_NO_FLUSH);
		break;
	case HOST_SCAN:
		vm_scan(vm, config->host.scan_bytes);
		break;
	case HOST_DEVICE_RESET:
	case HOST_DEVICE_DMA:
	case HOST_TIMESLICE:
	case HOST_ACTIONS:
		break;
	}
	return STATUS_OK;
}

static enum exit_status act(struct host_session *session, enum host_action action,
			    struct diag *diag)
{
	struct machine *machine = session->machine;
	enum exit_status status = STATUS_OK;

	/* With short slices and many VMs nothing here may look at each of them. */
	if (action == HOST_TIMESLICE)
		run_slice(session);
	else if (action == HOST_DEVICE_RESET)
		devices_reset(machine->devices);
	else if (action == HOST_DEVICE_DMA)
		devices_dma(machine->devices);
	else
		for (uint32_t vm = 0; status == STATUS_OK && vm < machine->vms_count; vm++)
			status = act_on_vm(session, action, machine->vms[vm], diag);
	return status;
}

enum exit_status host_session_act(struct host_session *session, struct diag *diag)
{
	const uint64_t now = session->due;

	for (unsigned i = 0; i < HOST_ACTIONS; i++) {
		enum exit_status status;

		if (session->next[i] != now)
			continue;
		session->next[i] = session->period[i] ? now + session->period[i] : UINT64_MAX;
		if (i == HOST_LOG_START || i == HOST_LOG_STOP)
			end_phase(session);
		status = act(session, (enum host_action)i, diag);
		if (status != STATUS_OK)
			return status;
	}
	set_due(session);
	return STATUS_OK;
}

void host_session_start(struct host_session *session, uint64_t lookups)
{
	session->start = sample(session->machine, lookups);
	for (unsigned phase = 0; phase < session->phase; phase++)
		session->sample[phase] = session->start;
}

void host_session_count(struct host_session *session, uint64_t lookups, struct stats *stats)
{
	enum { ROWS = STAT_during_lookups - STAT_before_lookups };
	struct host_sample last = session->start;
	uint64_t *v = stats->v + STAT_before_lookups;

	if (session->phase == PHASE_BEFORE)
		return;
	session->sample[session->phase] = sample(session->machine, lookups);
	for (unsigned phase = 0; phase <= session->phase; phase++, v += ROWS) {
		struct host_sample *now = &session->sample[phase];

		/* A warm-up's accesses are those of records that began in it, so with page runs
		 * they may be more than the ordinal at which a phase ended soon after. */
		if (now->lookups < last.lookups)
			now->lookups = last.lookups;
		v[0] = now->lookups - last.lookups;
		v[1] = now->l2_tlb_misses - last.l2_tlb_misses;
		v[2] = now->walk_cycles - last.walk_cycles;
		v[3] = now->s2_faults - last.s2_faults;
		v[4] = now->software_cycles - last.software_cycles;
		last = *now;
	}
}
