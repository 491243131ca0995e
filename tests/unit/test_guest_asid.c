/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces with fewer ASIDs than there are: nobody finds another's entries, none is lost. */
#include <stdio.h>

#include "guest_view.h"
#include "replay_rig.h"

enum { VCPUS = 3 };

/* Does the entry hold the page that the tables of this address space say? */
static void check_access(struct rig *rig, uint32_t vcpu, uint16_t asid, uint64_t va)
{
	const struct rig_access access = {
		.vcpu = vcpu, .asid = asid, .va = va, .kind = ACCESS_LOAD
	};
	const struct tlb_leaf *entry = rig_access(rig, access);
	const struct vm *vm = rig->machine.vms[0];
	struct pgtable_leaf leaf;
	uint64_t ipa;

	if (!entry)
		fail_msg("%s", vm_diag(vm)->text);
	assert_true(pgtable_next(&vm_find_space(vm, asid)->low, va, va, &leaf));
	ipa = desc_leaf_address(&vm->high.format, leaf.desc, leaf.bits) | (va - leaf.ia);
	assert_int_equal(entry->pa.v | (va & low_mask(entry->size_bits)), vm_ipa_to_pa(vm, ipa).v);
}

/* Two vCPUs that run different address spaces have different ASIDs, and none has ASID 0. */
static void check_running(const struct vm *vm)
{
	for (unsigned i = 0; i < VCPUS; i++) {
		assert_true(!vm->running[i] || vm->running[i]->mmu.context.asid != 0);
		assert_true(!vm->running[i] || vm->running[i]->mmu.context.asid < 256);
		for (unsigned k = 0; k < i; k++)
			if (vm->running[i] && vm->running[k] && vm->running[i] != vm->running[k])
				assert_int_not_equal(vm->running[i]->mmu.context.asid,
						     vm->running[k]->mmu.context.asid);
	}
}

static struct stats run(const char *settings, unsigned spaces, unsigned steps)
{
	struct rig *rig = rig_make(settings, VCPUS, 1);
	struct rng rng = rng_seed(spaces);
	unsigned now[VCPUS] = { 0 };
	struct stats stats;

	for (unsigned i = 0; i < steps; i++) {
		const unsigned vcpu = pick(&rng, VCPUS);

		if (chance(&rng, 1, 5))
			now[vcpu] = pick(&rng, spaces);
		check_access(rig, vcpu, (uint16_t)(300 + now[vcpu]),
			     0x1000 * (uint64_t)(1 + pick(&rng, 6)));
		if (rig->machine.vms[0]->running)
			check_running(rig->machine.vms[0]);
	}
	stats = rig_stats(rig);
	rig_destroy(rig);
	return stats;
}

static void no_stale_entries(void **state)
{
	struct stats stats;

	(void)state;
	stats = run("guest.asid_bits=8", 1000, 20000);
	assert_true(stats.v[STAT_asid_rollovers] >= 2);
	/* 255 ASIDs in each generation, those of running address spaces kept. */
	assert_true(stats.v[STAT_asid_allocations] > 255 * stats.v[STAT_asid_rollovers]);
	stats = run("core.id_aa64mmfr0=0x1105 tlb.l2.entries=none", 700, 20000);
	assert_true(stats.v[STAT_asid_rollovers] >= 2);
}

/* As long as all have one, it is of no account which. */
static void enough_asids(void **state)
{
	struct stats wide, narrow;

	(void)state;
	wide = run("guest.asid_bits=16", 255, 10000);
	narrow = run("guest.asid_bits=8", 255, 10000);
	assert_int_equal(wide.v[STAT_asid_allocations], 0);
	assert_int_equal(narrow.v[STAT_asid_rollovers], 0);
	narrow.v[STAT_asid_allocations] = 0;
	assert_same(&wide, &narrow, "8 and 16 bits");
}

/* In a replay: TLBIs and unmaps of the trace find the address space under its other name. */
static void events_by_trace_asid(void **state)
{
	enum { VAE1IS = 0x419, ASIDE1IS = 0x41a };
	struct session *s[2] = { session_make("guest.asid_bits=8", 1, 1, TRACE_PAGE_RUNS),
				 session_make("guest.asid_bits=16", 1, 1, TRACE_PAGE_RUNS) };
	struct builder *b = builder_make();
	struct rng rng = rng_seed(9);
	struct stats stats[2];
	uint64_t ordinal = 0;

	(void)state;
	for (unsigned i = 0; i < 1500; i++) {
		const uint64_t asid = 1000 + pick(&rng, 20);
		const uint64_t va = 0x1000 * (uint64_t)(1 + pick(&rng, 8));
		struct trace_key key = data_key(va);
		struct trace_event event = { .asid = (uint16_t)asid };

		key.asid = (uint16_t)asid;
		add_record(b, key, ++ordinal, UINT64_MAX);
		if (b->block.n_events == MAX_EVENTS || !chance(&rng, 1, 20))
			continue;
		event.type = chance(&rng, 1, 3) ? EVENT_UNMAP : EVENT_TLBI;
		event.args[0] = event.type == EVENT_UNMAP ? va
				: chance(&rng, 1, 2)	  ? VAE1IS
							  : ASIDE1IS;
		event.args[1] = event.type == EVENT_UNMAP ? 0x3000 : asid << 48 | va >> 12;
		add_event(b, event);
	}
	for (unsigned i = 0; i < 2; i++)
		stats[i] = session_run(s[i], b);
	assert_int_equal(stats[0].v[STAT_asid_allocations], 20);
	stats[0].v[STAT_asid_allocations] = 0;
	assert_same(&stats[0], &stats[1], "8 and 16 bits");
	session_destroy(s[0]);
	session_destroy(s[1]);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_stale_entries),
		cmocka_unit_test(enough_asids),
		cmocka_unit_test(events_by_trace_asid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
