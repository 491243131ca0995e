/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's TLB maintenance, instruction by instruction: which are sent, which of them are waited for,
 * what they cost, and that a timing backend hears of each that is broadcast. The sequences are
 * those of the kernel's hyp/{nvhe,vhe}/tlb.c and asm/tlbflush.h.
 */
#include <stdio.h>

#include "rig.h"

#include "os/kvm_pgtable.h"

enum { VCPUS = 4, PAGE = 0x10000, RANGE_PAGES_MAX = 1 << 21 };

/* ---- steps of a range ----------------------------------------------------------------------- */

static struct kvm_pgtable pgtable(bool lpa2)
{
	return (struct kvm_pgtable){ .setup = { .granule = GRANULE_4K, .lpa2 = lpa2 } };
}

/* What one instruction can name: a page, or (NUM + 1) << (5 * SCALE + 1), NUM of 5 bits. */
static bool has_encoding(uint64_t pages)
{
	for (unsigned shift = 1; shift <= 16; shift += 5)
		if (pages >> shift << shift == pages && pages >> shift >= 1 && pages >> shift <= 32)
			return true;
	return pages == 1;
}

/* One instruction for each digit to the base 32 above the lowest bit, but 32 << 16 for the whole.
 */
static unsigned digits(uint64_t pages)
{
	unsigned n = pages & 1;

	for (uint64_t rest = pages >> 1; rest; rest >>= 5)
		n += (rest & 31) != 0;
	return n;
}

static unsigned count_steps(const struct kvm_pgtable *pgt, uint64_t ipa, uint64_t pages)
{
	unsigned steps = 0;

	for (uint64_t step; pages > 0; pages -= step, ipa += step << 12, steps++) {
		step = kvm_tlbi_range_step(pgt, ipa, pages);
		assert_true(step >= 1 && step <= pages);
		assert_true(has_encoding(step));
		/* The operand has the address from bit 16 on. */
		assert_true(!pgt->setup.lpa2 || step == 1 || ipa % 65536 == 0);
	}
	return steps;
}

static void steps_of_a_range(void **state)
{
	const struct kvm_pgtable plain = pgtable(false), lpa2 = pgtable(true);
	uint64_t pages = 1;

	(void)state;
	/* The example in the review of the kernel's loop: 0xe800 pages, then 0x1a. */
	assert_int_equal(kvm_tlbi_range_step(&plain, 0, 0xe81a), 0xe800);
	assert_int_equal(kvm_tlbi_range_step(&plain, 0, 0x1a), 0x1a);
	/* 8 GiB of 4K pages are SCALE 3, NUM 31 (arm64: tlb: Fix TLBI RANGE operand, 2024). */
	assert_int_equal(kvm_tlbi_range_step(&plain, 0, RANGE_PAGES_MAX), RANGE_PAGES_MAX);
	for (unsigned i = 0; i < 20000; i++) {
		assert_int_equal(count_steps(&plain, 0x1000, pages), digits(pages));
		assert_int_equal(count_steps(&lpa2, 0x30000, pages), digits(pages));
		/* 13 pages up to the next 64 KiB, one by one. */
		assert_int_equal(count_steps(&lpa2, 0x33000, pages),
				 pages > 13 ? 13 + digits(pages - 13) : pages);
		pages = (pages * 69069 + 1) % RANGE_PAGES_MAX;
		pages += pages == 0;
	}
}

/* ---- sequences ------------------------------------------------------------------------------ */

struct count {
	uint64_t all, broadcast, unwaited;
};

struct progress {
	struct count count;
	uint64_t heard; /* by the listener */
};

static void hear(void *ctx, uint32_t vcpu, enum mmu_event_type type, uint64_t value)
{
	(void)value;
	if (type != MMU_EVENT_BROADCAST)
		return;
	assert_int_equal(vcpu, MMU_ALL_VCPUS);
	++*(uint64_t *)ctx;
}

static struct count count_of(const struct rig *rig)
{
	const uint64_t *v = rig->machine.mmu.stats.v;

	return (struct count){ v[STAT_tlbis], v[STAT_tlbis_broadcast], v[STAT_tlbis_unwaited] };
}

/* Since *before, which is brought up to date. */
static void assert_sent(const struct rig *rig, uint64_t heard, struct progress *before,
			struct count expected)
{
	const struct progress now = { count_of(rig), heard };

	assert_int_equal(now.count.all - before->count.all, expected.all);
	assert_int_equal(now.count.broadcast - before->count.broadcast, expected.broadcast);
	assert_int_equal(now.count.unwaited - before->count.unwaited, expected.unwaited);
	assert_int_equal(now.heard - before->heard, expected.broadcast);
	*before = now;
}

static void store(struct rig *rig, uint64_t va)
{
	assert_non_null(
		rig_access(rig, (struct rig_access){ .asid = 1, .va = va, .kind = ACCESS_STORE }));
}

/* Costs of 1000 and 1: what is waited for, and what other vCPUs must hear, times three. */
static void assert_cost(struct rig *rig)
{
	const struct count all = count_of(rig);
	struct machine_tally tally;
	struct stats stats = { 0 };

	machine_tally(&rig->machine, &tally);
	machine_tally_count(&tally, &rig->machine.config.cost, &stats);
	assert_int_equal(stats.v[STAT_tlbi_cycles],
			 (all.all - all.unwaited) * 1000 + all.broadcast * (VCPUS - 1));
}

/*
 * Logging starts on a memslot that is no power of two: 8 GiB + 6 GiB + 2 MiB + 4 KiB. With range
 * operations that is 8 GiB by one, and a VMALLE1IS behind its barrier; and the rest by three.
 * Without them, or before v6.6, one VMALLS12E1IS. A store then splits the block: IPAS2E1IS and
 * VMALLE1IS, each with a barrier. The log is read, which protects the page again, and a store
 * relaxes it: the same two, local since v6.5.
 */
static void sequences(void **state)
{
	static const struct {
		const char *settings;
		struct count flush, split, relax;
	} cases[] = {
		{ "host.kernel=6.12", { 6, 6, 2 }, { 2, 2, 0 }, { 2, 0, 0 } },
		{ "host.kernel=6.6", { 6, 6, 2 }, { 2, 2, 0 }, { 2, 0, 0 } },
		{ "host.kernel=6.1", { 1, 1, 0 }, { 2, 2, 0 }, { 2, 2, 0 } },
		{ "host.kernel=6.12 core.id_aa64isar0=0", { 1, 1, 0 }, { 2, 2, 0 }, { 2, 0, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig *rig;
		struct vm *vm;
		uint64_t heard = 0, passed[VCPUS];
		struct progress sent;
		char settings[256];

		snprintf(settings, sizeof(settings),
			 "host.backing=2M guest.memory=14682116K host.memory=32G cost.tlbi=1000 "
			 "cost.dvm=1 %s",
			 cases[i].settings);
		rig = rig_make(settings, VCPUS, 1);
		vm = rig->machine.vms[0];
		rig->machine.mmu.listener = (struct mmu_listener){ hear, &heard, passed };
		store(rig, PAGE);
		sent = (struct progress){ count_of(rig), heard };
		assert_int_equal(vm_set_logging(vm, true, &rig->diag), STATUS_OK);
		assert_sent(rig, heard, &sent, cases[i].flush);
		store(rig, PAGE);
		assert_sent(rig, heard, &sent, cases[i].split);
		vm_sync_log(vm);
		assert_sent(rig, heard, &sent, cases[i].flush);
		store(rig, PAGE);
		assert_sent(rig, heard, &sent, cases[i].relax);
		assert_cost(rig);
		rig->machine.mmu.listener = (struct mmu_listener){ 0 };
		rig_destroy(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_of_a_range),
		cmocka_unit_test(sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
