/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLBs and walk caches against the naive translator, which has none: random accesses of several
 * vCPUs, ASIDs and VMIDs, between them changes of random descriptors, each followed by one of the
 * TLB invalidations that the architecture allows for it. No stale answer may remain: address, fault
 * and permission are the naive translator's, and memory (access flags, dirty state) is the same.
 *
 * test_sequences [SEED STEPS]; without arguments 10^6 steps (TWOSTAGE_LONG: 10^8).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "twin.h"

enum { STEPS_A_CASE = 4000 };

static struct twin twin;
static unsigned long passed, failed, changes;

/* Any of these is enough, whatever the word was. */
static void invalidate_widely(const struct twin_use *u)
{
	unsigned vm = u->stage == 2 || u->upper ? u->space : u->space / TWIN_ASIDS;
	struct rng *r = &twin.gen.rng;

	if (u->mixed || rng_chance(r, 20))
		twin_tlbi(&twin, ALLE1, 0, vm);
	else
		twin_tlbi(&twin, rng_chance(r, 50) ? VMALLS12E1 : VMALLS12E1IS, 0, vm);
}

static void invalidate_s1_leaf(const struct twin_use *u)
{
	static const uint32_t one_asid[] = { VAE1, VALE1, VAE1IS, VAAE1, VAALE1, ASIDE1, VMALLE1 };
	static const uint32_t all_asids[] = { VAAE1, VAALE1, VMALLE1, VMALLE1IS };
	uint64_t xt = u->ia >> 12 & UINT64_C(0xfffffffffff);
	struct rng *r = &twin.gen.rng;

	if (u->upper) {
		twin_tlbi(&twin, all_asids[rng_below(r, 4)], xt, u->space);
		return;
	}
	xt |= (uint64_t)twin.spaces[u->space].context.asid << 48;
	twin_tlbi(&twin, one_asid[rng_below(r, 7)], xt, u->space / TWIN_ASIDS);
}

static void invalidate_s2_leaf(const struct twin_use *u)
{
	static const uint32_t forms[] = { IPAS2E1, IPAS2LE1, IPAS2E1IS };
	struct rng *r = &twin.gen.rng;

	/* By IPA takes stage-2 entries only; combined ones need the second operation. */
	twin_tlbi(&twin, forms[rng_below(r, 3)], u->ia >> 12, u->space);
	twin_tlbi(&twin, rng_chance(r, 50) ? VMALLE1 : VMALLE1IS, 0, u->space);
}

static void step_change(void)
{
	struct rng *r = &twin.gen.rng;
	uint32_t i = (uint32_t)rng_below(r, twin.gen.words.count + 1);
	const struct twin_use *u = &twin.use[i];
	uint64_t old;
	bool was_leaf;

	if (i == twin.gen.words.count || !u->met)
		return;
	old = twin.gen.words.value[i];
	was_leaf = u->level == 3 || (old & 3) != 3;
	changes++;
	twin_write(&twin, i, twin_new_word(&twin, i));
	/* It was invalid before: nothing of it was cached. */
	if (!(old & 1) && rng_chance(r, 80))
		return;
	if (u->mixed || !was_leaf || rng_chance(r, 15))
		invalidate_widely(u);
	else if (u->stage == 1)
		invalidate_s1_leaf(u);
	else
		invalidate_s2_leaf(u);
}

static bool step_access(bool look_at_memory)
{
	char difference[ENGINE_DIFFERENCE_MAX];
	struct twin_answer answer;
	struct naive_result naive;
	struct naive_access a = twin_pick(&twin);

	twin_naive(&twin, &a, &naive);
	twin_ask(&twin, &a, &answer);
	if (twin_agrees(&twin, &a, &naive, &answer, difference) &&
	    (!look_at_memory || twin_memory_agrees(&twin, difference)))
		return true;
	printf("space %u va %" PRIx64 " kind %d: %s\n", twin.current, a.va, a.kind, difference);
	return false;
}

/* Ends after a mismatch. */
static void run_case(uint64_t seed)
{
	bool good = true;

	twin_start(&twin, seed, TWIN_UPDATES);
	for (unsigned i = 0; i < STEPS_A_CASE && good && twin.gen.words.count < WORDS_MAX - 200;
	     i++) {
		if (rng_chance(&twin.gen.rng, 3))
			step_change();
		good = step_access(i % 64 == 0);
		passed += good;
	}
	twin_stop(&twin);
	if (good)
		return;
	failed++;
	printf("  seed %" PRIu64 " (%s)\n", seed, twin.gen.pe->name);
}

int main(int argc, char **argv)
{
	const char *more = getenv("TWOSTAGE_LONG");
	uint64_t seed = 1, steps = more && *more ? 100000000 : 1000000;

	if (argc == 3) {
		seed = strtoull(argv[1], NULL, 0);
		steps = strtoull(argv[2], NULL, 0);
	}
	if (!twin_init(&twin))
		return 70;
	for (; passed < steps && failed < 20; seed++)
		run_case(seed);
	twin_fini(&twin);
	printf("%lu L1 TLB hits, %lu faults, %lu descriptors changed\n", twin.hits, twin.faults,
	       changes);
	printf("%lu passed, %lu failed\n", passed, failed);
	return failed != 0;
}
