/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's walker against the naive translator: random PEs, registers, tables and accesses.
 * Compared are address, attributes, sizes, permissions, dirty state, the fault with all its fields,
 * the number of descriptor reads, and memory afterwards.
 *
 * test_differential [FIRST COUNT]: cases by seed; without arguments 20,000 (TWOSTAGE_LONG:
 * 2,000,000).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"
#include "mmu/walk_hints.h"

enum { ACCESSES = 5, SHOWN = 20 };

static struct gen_case gen;
static struct engine engine;
static struct walk_hints hints;
static unsigned long passed, failed;

/* Words invented for the naive translator exist for the engine as well. */
static uint64_t read_both(void *ctx, uint64_t pa)
{
	bool known = words_known(&gen.words, pa);
	uint64_t word;

	(void)ctx;
	word = words_read_cb(&gen.words, pa);
	if (!known) {
		struct naive_memory plain = gen.memory;

		word = plain.read(&gen, pa);
		if (!phys_write64(engine.mem, pa_of(pa), word))
			exit(70);
	}
	return word;
}

static void drop_write(void *ctx, uint64_t pa, uint64_t value)
{
	(void)ctx, (void)pa, (void)value;
}

static void translate(const struct naive_access *a, bool keep_updates, struct naive_result *r)
{
	struct naive_memory memory = gen.memory;

	memory.read = read_both;
	if (!keep_updates)
		memory.write = drop_write;
	gen.running = r;
	naive_translate(&gen.cpu, &gen.regs, &memory, a, r);
	gen.running = NULL;
}

/* PERM_* bits as the naive translator gives them, for those it can tell. */
static bool permissions_agree(const struct naive_access *a, const struct translation *t,
			      char *difference)
{
	for (unsigned i = 0; i < 6; i++) {
		static const enum naive_kind kinds[] = { NAIVE_LOAD, NAIVE_STORE, NAIVE_FETCH };
		struct naive_access b = *a;
		struct naive_regs saved = gen.regs;
		struct naive_result r;
		bool granted = t->perms >> i & 1;

		b.kind = kinds[i % 3];
		b.el = i >= 3 ? 0 : a->el == 2 || gen.kind == GEN_EL20 ? 2 : 1;
		b.at = true;
		gen.regs.pan = false;
		if (gen.kind == GEN_EL20)
			gen.regs.hcr_el2 |= UINT64_C(1) << 27;
		translate(&b, false, &r);
		gen.regs = saved;
		if (r.fault != NAIVE_OK && r.fault != NAIVE_PERMISSION)
			continue;
		if (granted != (r.fault == NAIVE_OK)) {
			snprintf(difference, ENGINE_DIFFERENCE_MAX,
				 "permission bit %u: naive %d, engine %d", i, r.fault == NAIVE_OK,
				 granted);
			return false;
		}
	}
	return true;
}

/* Would a permitted store still have to update a descriptor? */
static bool dirty_agrees(const struct naive_access *a, const struct translation *t,
			 char *difference)
{
	struct naive_access b = *a;
	struct naive_result r;
	bool must_walk;

	b.kind = NAIVE_STORE;
	b.at = false;
	translate(&b, false, &r);
	if (r.fault != NAIVE_OK && !(r.fault == NAIVE_PERMISSION && r.s1ptw))
		return true;
	must_walk = r.update || r.fault != NAIVE_OK;
	if (must_walk == t->dirty_clear)
		return true;
	snprintf(difference, ENGINE_DIFFERENCE_MAX, "dirty_clear: naive %d, engine %d", must_walk,
		 t->dirty_clear);
	return false;
}

static bool memory_agrees(char *difference)
{
	for (uint32_t i = 0; i < gen.words.count; i++) {
		uint64_t pa = gen.words.pa[i], value = phys_read64(engine.mem, pa_of(pa));

		if (value != gen.words.value[i]) {
			snprintf(difference, ENGINE_DIFFERENCE_MAX,
				 "word at %" PRIx64 ": naive %" PRIx64 ", engine %" PRIx64, pa,
				 gen.words.value[i], value);
			return false;
		}
	}
	return true;
}

static bool compare(const struct naive_access *a, char *difference)
{
	struct naive_result n;
	struct translation t;

	translate(a, true, &n);
	engine_walk(&engine, a, &t);
	if (!engine_agrees(&n, &t, difference) || !memory_agrees(difference))
		return false;
	if (n.fault != NAIVE_OK)
		return true;
	if (!n.update && n.reads != engine.reads) {
		snprintf(difference, ENGINE_DIFFERENCE_MAX, "reads: naive %u, engine %u", n.reads,
			 engine.reads);
		return false;
	}
	return permissions_agree(a, &t, difference) &&
	       (a->stage1_only || dirty_agrees(a, &t, difference));
}

static void run_case(uint64_t seed)
{
	char difference[ENGINE_DIFFERENCE_MAX];

	phys_reset(engine.mem);
	/* Half of the cases walk as a replay does. */
	engine.hints = seed >> 5 & 1 ? &hints : NULL;
	gen.words.abort_first = UINT64_C(1) << 36;
	gen.words.abort_end = seed % 4 ? gen.words.abort_first : UINT64_C(1) << 37;
	gen_case(&gen, seed, &gen_pes[seed % GEN_PES], (enum gen_kind)(seed / GEN_PES % GEN_KINDS));
	gen.cpu.clamp_txsz = seed % 11 == 0;
	gen.cpu.contiguous_faults = seed % 13 == 0;
	if (gen.words.abort_end > gen.words.abort_first)
		phys_add_abort_range(engine.mem, pa_of(gen.words.abort_first),
				     pa_of(gen.words.abort_end));
	engine_cpu(&engine, &gen.cpu);
	for (int i = 0; i < ACCESSES; i++) {
		struct naive_access a = gen_access(&gen);

		engine_regs(&engine, &gen.regs, gen.kind == GEN_EL20);
		if (compare(&a, difference)) {
			passed++;
		} else if (failed++ < SHOWN) {
			printf("seed %" PRIu64 " (%s, kind %d) access %d: va %" PRIx64
			       " kind %d el %d at %d s1 %d: %s\n",
			       seed, gen.pe->name, gen.kind, i, a.va, a.kind, a.el, a.at,
			       a.stage1_only, difference);
			return;
		}
	}
}

int main(int argc, char **argv)
{
	const char *more = getenv("TWOSTAGE_LONG");
	uint64_t first = 0, count = more && *more ? 2000000 : 20000;

	if (argc == 3) {
		first = strtoull(argv[1], NULL, 0);
		count = strtoull(argv[2], NULL, 0);
	}
	engine.mem = phys_create();
	if (!engine.mem)
		return 70;
	for (uint64_t i = 0; i < count; i++)
		run_case(first + i);
	phys_destroy(engine.mem);
	printf("%lu passed, %lu failed\n", passed, failed);
	return failed != 0;
}
