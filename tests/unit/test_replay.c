/* SPDX-License-Identifier: BSD-2-Clause */
/* Replay of blocks: hot loop against the plain one, events inside blocks, runs with dirty state. */
#include <stdio.h>

#include "replay_rig.h"
#include "tests/repro/refs.h"
#include "tests/repro/scratch.h"

/* TLBI operations by their names: op1:CRn:CRm:op2. */
enum { VMALLE1 = 0x438, VAE1IS = 0x419, ASIDE1 = 0x43a };

/* ---- counting allocations ------------------------------------------------------------------- */

static uint64_t allocations;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
					      void (*on_free)(const volatile void *));

static void count_malloc(const volatile void *p, size_t n)
{
	(void)p;
	(void)n;
	allocations++;
}

static void count_free(const volatile void *p)
{
	(void)p;
}

static void count_from_now(void)
{
	static bool installed;

	if (!installed)
		assert_true(__sanitizer_install_malloc_and_free_hooks(count_malloc, count_free));
	installed = true;
}
#else
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);

void *malloc(size_t bytes)
{
	allocations++;
	return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
	allocations++;
	return __libc_calloc(n, bytes);
}

void *realloc(void *p, size_t bytes)
{
	allocations++;
	return __libc_realloc(p, bytes);
}

static void count_from_now(void)
{
}
#endif

/* ---- hot loop against the plain one --------------------------------------------------------- */

static void random_event(struct builder *b, struct rng *rng)
{
	const uint64_t va = 0x10000 + ((uint64_t)pick(rng, 60) << 12);
	const uint64_t ops[3][2] = { { VMALLE1, 0 },
				     { ASIDE1, UINT64_C(1) << 48 },
				     { VAE1IS, UINT64_C(1) << 48 | va >> 12 } };
	const unsigned op = pick(rng, 3);
	struct trace_event event = { .vcpu = (uint16_t)pick(rng, 2),
				     .vm = (uint16_t)pick(rng, 2),
				     .asid = (uint16_t)(1 + pick(rng, 2)) };

	if (chance(rng, 1, 3)) {
		event.type = EVENT_UNMAP;
		event.args[0] = va;
		event.args[1] = (uint64_t)(1 + pick(rng, 8)) << 12;
	} else if (chance(rng, 1, 4)) {
		event.type = EVENT_CONTEXT_SWITCH;
	} else {
		event.type = EVENT_TLBI;
		event.args[0] = ops[op][0];
		event.args[1] = ops[op][1];
	}
	add_event(b, event);
}

static struct builder *random_block(uint64_t seed)
{
	struct builder *b = builder_make();
	struct rng rng = rng_seed(seed);
	uint64_t ordinal = 0;

	while (b->block.n_records < MAX_RECORDS) {
		struct trace_key key = data_key(0x10000 + ((uint64_t)pick(&rng, 60) << 12));

		key.vcpu = (uint16_t)pick(&rng, 2);
		key.vm = (uint16_t)pick(&rng, 2);
		key.asid = (uint16_t)(1 + pick(&rng, 2));
		key.stream = (uint8_t)pick(&rng, 2);
		if (chance(&rng, 1, 5))
			key.va |= UINT64_C(0xffff) << 48;
		ordinal += 1 + pick(&rng, 20);
		add_record(b, key, ordinal, UINT64_MAX);
		if (b->block.n_events < MAX_EVENTS && chance(&rng, 1, 60))
			random_event(b, &rng);
	}
	return b;
}

static const char *const shapes[] = {
	"",
	"tlb.l1i.entries=8 tlb.l1d.entries=8",
	"tlb.l1i.entries=8 tlb.l1d.entries=16 tlb.l1i.ways=2 tlb.l1d.ways=4 tlb.l2.entries=none",
	"tlb.l1d.entries=12 tlb.l1d.ways=4 tlb.l2.entries=24 tlb.l2.ways=3 guest.pages=2M",
	"tlb.l1i.entries=1 tlb.l1d.entries=1 host.backing=1G guest.pages=2M",
};

static void hints_change_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (uint64_t seed = 1; seed <= 2; seed++) {
			struct builder *b = random_block(seed);
			struct session *fast = session_make(shapes[i], 2, 2, TRACE_PAGE_RUNS);
			struct session *plain = session_make(shapes[i], 2, 2, TRACE_PAGE_RUNS);
			struct stats a, c;

			assert_true(fast->replay.fast);
			plain->replay.fast = false;
			/* Twice, so that hints of the block before are there. */
			assert_int_equal(replay_block(&fast->replay, &b->block), STATUS_OK);
			assert_int_equal(replay_block(&plain->replay, &b->block), STATUS_OK);
			a = session_run(fast, b);
			c = session_run(plain, b);
			assert_same(&a, &c, shapes[i]);
			session_destroy(fast);
			session_destroy(plain);
			free(b);
		}
}

/* ---- events --------------------------------------------------------------------------------- */

static struct stats run_pair(struct trace_event event, uint64_t second_va)
{
	struct builder *b = builder_make();
	struct session *s = session_make("", 1, 1, TRACE_PAGE_RUNS);
	struct stats stats;

	add_record(b, data_key(0x5000), 0, UINT64_MAX);
	add_record(b, data_key(0x6000), 1, UINT64_MAX);
	add_record(b, data_key(0x5000), 2, UINT64_MAX);
	event.asid = event.asid ? event.asid : 1;
	add_event(b, event);
	add_record(b, data_key(second_va), 3, UINT64_MAX);
	stats = session_run(s, b);
	session_destroy(s);
	free(b);
	return stats;
}

static struct trace_event tlbi(uint64_t op, uint64_t xt)
{
	return (struct trace_event){ .type = EVENT_TLBI, .args = { op, xt } };
}

static void events_within_a_block(void **state)
{
	const struct trace_event unmap = { .type = EVENT_UNMAP, .args = { 0x5000, 0x1000 } };
	const struct trace_event nothing = { .type = EVENT_UNMAP, .args = { 0x5000, 0 } };
	const struct trace_event other_space = { .type = EVENT_UNMAP,
						 .asid = 2,
						 .args = { 0x5000, 0x1000 } };
	const struct trace_event other_vm = { .type = EVENT_TLBI, .vm = 7, .args = { VMALLE1, 0 } };
	struct stats s;

	(void)state;
	s = run_pair(tlbi(VMALLE1, 0), 0x5000);
	assert_int_equal(s.v[STAT_l1d_tlb_misses], 3);
	assert_int_equal(s.v[STAT_s1_faults], 2);
	assert_int_equal(s.v[STAT_tlbis], 1);
	s = run_pair(tlbi(VAE1IS, UINT64_C(1) << 48 | 5), 0x5000);
	assert_int_equal(s.v[STAT_l1d_tlb_misses], 3);
	s = run_pair(tlbi(VAE1IS, UINT64_C(1) << 48 | 5), 0x6000);
	assert_int_equal(s.v[STAT_l1d_tlb_misses], 2);
	s = run_pair(tlbi(VAE1IS, UINT64_C(2) << 48 | 5), 0x5000);
	assert_int_equal(s.v[STAT_l1d_tlb_misses], 2);
	s = run_pair(tlbi(ASIDE1, UINT64_C(1) << 48), 0x6000);
	assert_int_equal(s.v[STAT_l1d_tlb_misses], 3);
	s = run_pair(unmap, 0x5000);
	assert_int_equal(s.v[STAT_l1d_tlb_misses], 3);
	assert_int_equal(s.v[STAT_s1_faults], 3);
	s = run_pair(unmap, 0x6000);
	assert_int_equal(s.v[STAT_l1d_tlb_misses], 2);
	assert_int_equal(s.v[STAT_s1_mapped_4k], 1);
	s = run_pair(nothing, 0x5000);
	assert_int_equal(s.v[STAT_l1d_tlb_misses], 2);
	s = run_pair(other_space, 0x5000);
	assert_int_equal(s.v[STAT_l1d_tlb_misses], 2);
	s = run_pair(other_vm, 0x5000); /* a VM without accesses */
	assert_int_equal(s.v[STAT_l1d_tlb_misses], 2);
}

static void refuse_event(uint64_t encoding)
{
	struct builder *b = builder_make();
	struct session *s = session_make("", 1, 1, TRACE_PAGE_RUNS);

	add_record(b, data_key(0x5000), 0, UINT64_MAX);
	add_event(b, tlbi(encoding, 0));
	assert_int_equal(replay_block(&s->replay, &b->block), STATUS_BAD_INPUT);
	assert_non_null(strstr(s->diag.text, "TLBI"));
	session_destroy(s);
	free(b);
}

static void unknown_tlbi(void **state)
{
	(void)state;
	refuse_event(0);
	refuse_event(0x3c00); /* op1 = 7 */
	refuse_event(VMALLE1 | 1 << 14);
	refuse_event(VMALLE1 | UINT64_C(1) << 40);
}

/* ---- refusals ------------------------------------------------------------------------------- */

static void key_out_of_range(void **state)
{
	(void)state;
	for (unsigned which = 0; which < 2; which++) {
		struct builder *b = builder_make();
		struct session *s = session_make("", 2, 2, TRACE_PAGE_RUNS);
		struct trace_key key = data_key(0x5000);

		add_record(b, key, 0, UINT64_MAX);
		*(which ? &key.vm : &key.vcpu) = 2;
		add_record(b, key, 1, UINT64_MAX);
		assert_int_equal(replay_block(&s->replay, &b->block), STATUS_BAD_INPUT);
		assert_non_null(strstr(s->diag.text, which ? "VM 2" : "vCPU 2"));
		/* Found before anything was replayed. */
		assert_int_equal(s->rig->machine.mmu.stats.v[STAT_l1d_tlb_misses], 0);
		session_destroy(s);
		free(b);
	}
}

static void runs_need_safe_policies(void **state)
{
	static const char *const keys[] = { "tlb.l1i.replacement", "tlb.l1d.replacement" };

	(void)state;
	for (unsigned k = 0; k < 2; k++)
		for (size_t i = 0; repl_registry[i]; i++) {
			const enum trace_granularity forms[] = { TRACE_RAW, TRACE_LINE_RUNS,
								 TRACE_PAGE_RUNS };
			char setting[128];
			struct rig *rig;

			snprintf(setting, sizeof(setting), "%s=%s", keys[k],
				 repl_registry[i]->name);
			rig = rig_make(setting, 1, 1);
			for (unsigned f = 0; f < 3; f++) {
				const struct trace_info info = { .granularity = forms[f] };
				const bool fine = repl_registry[i]->run_safe || f == 0;
				struct diag diag = DIAG_INIT;
				struct replay replay;

				assert_int_equal(
					replay_init(&replay, &rig->machine, NULL, &info, &diag),
					fine ? STATUS_OK : STATUS_BAD_INPUT);
				if (fine)
					replay_fini(&replay);
				else
					assert_non_null(strstr(diag.text, keys[k]));
			}
			rig_destroy(rig);
		}
}

/* A fault that the guest cannot serve ends the replay with the guest's reason. */
static void failure_in_the_middle(void **state)
{
	(void)state;
	for (unsigned fast = 0; fast < 2; fast++) {
		struct builder *b = builder_make();
		struct session *s = session_make("guest.memory=4M", 1, 1, TRACE_PAGE_RUNS);

		for (uint64_t i = 0; i < 1000; i++)
			add_record(b, data_key(i % 512 << 12), i, UINT64_MAX);
		s->replay.fast = fast;
		/* 512 pages fit; the next one does not. */
		assert_int_equal(replay_block(&s->replay, &b->block), STATUS_OK);
		b->keys[0].va = UINT64_C(1) << 40;
		assert_int_equal(replay_block(&s->replay, &b->block), STATUS_BAD_INPUT);
		assert_non_null(strstr(s->diag.text, "guest"));
		session_destroy(s);
		free(b);
	}
}

/* ---- dirty state inside runs ---------------------------------------------------------------- */

/* The store comes after a load of the same run, and before or after another vCPU's access. */
static void store_within_a_run(void **state)
{
	struct builder *b = builder_make();
	struct session *s = session_make("guest.dirty_state=hardware", 2, 1, TRACE_PAGE_RUNS);
	struct trace_key other = data_key(0x5000);
	struct stats stats;

	(void)state;
	other.vcpu = 1;
	add_record(b, data_key(0x5000), 0, 10); /* loads, its first store at 10 */
	add_record(b, other, 5, UINT64_MAX);	/* before the store: clean */
	add_record(b, other, 20, 20);		/* store: walks again */
	stats = session_run(s, b);
	assert_int_equal(stats.v[STAT_dirty_rewalks], 2);
	session_destroy(s);

	s = session_make("guest.dirty_state=hardware", 2, 1, TRACE_PAGE_RUNS);
	b->store_ordinal[0] = 3; /* before the other's load, which finds the page dirty */
	stats = session_run(s, b);
	assert_int_equal(stats.v[STAT_dirty_rewalks], 1);
	session_destroy(s);

	/* The last store of the trace is not forgotten. */
	s = session_make("guest.dirty_state=hardware", 2, 1, TRACE_PAGE_RUNS);
	b->block.n_records = 1;
	stats = session_run(s, b);
	assert_int_equal(stats.v[STAT_dirty_rewalks], 1);
	session_destroy(s);
	free(b);
}

/* ---- raw against line and page runs --------------------------------------------------------- */

static struct stats run_file(const char *settings, const char *path)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader = trace_open(path, false, &diag);
	struct trace_block block = { 0 };
	const struct trace_info *info;
	struct session *s;
	struct stats stats;

	assert_non_null(reader);
	info = trace_info(reader);
	s = session_make(settings, info->vcpus, info->vms, info->granularity);
	for (uint64_t i = 0; i < info->blocks; i++) {
		assert_int_equal(trace_read_block(reader, i, s->replay.columns, &block, &diag),
				 STATUS_OK);
		if (replay_block(&s->replay, &block) != STATUS_OK)
			fail_msg("%s: %s", settings, s->diag.text);
	}
	assert_int_equal(replay_finish(&s->replay), STATUS_OK);
	rig_finish(s->rig);
	stats = rig_stats(s->rig);
	trace_block_free(&block);
	trace_close(reader);
	session_destroy(s);
	return stats;
}

static void forms_agree(const char *settings, uint64_t seed)
{
	const struct refs_options options = {
		.seed = seed,
		.n = 4000,
		.vcpus = 1 + (unsigned)(seed % 3),
		.vms = 1 + (unsigned)(seed % 2),
		.asids = 2,
		.pages = 40,
		.same_page_percent = 80,
		.straddle_permille = 20,
		.store_percent = 30,
		.switch_permille = 4,
		.tlbi_permille = 3,
		.unmap_permille = 3,
	};
	struct refs refs = refs_random(&options);
	struct stats raw, line, page;

	refs_write(&refs, scratch_path("raw.s2t"), TRACE_RAW);
	refs_write(&refs, scratch_path("line.s2t"), TRACE_LINE_RUNS);
	refs_write(&refs, scratch_path("page.s2t"), TRACE_PAGE_RUNS);
	raw = run_file(settings, scratch_path("raw.s2t"));
	line = run_file(settings, scratch_path("line.s2t"));
	page = run_file(settings, scratch_path("page.s2t"));
	assert_same(&raw, &line, settings);
	assert_same(&raw, &page, settings);
	assert_true(raw.v[STAT_l1d_tlb_misses] > 0 && raw.v[STAT_l2_tlb_hits] > 0);
	if (strstr(settings, "hardware"))
		assert_true(raw.v[STAT_dirty_rewalks] > 0);
	refs_free(&refs);
}

static void dirty_runs_are_exact(void **state)
{
	(void)state;
	for (size_t i = 0; repl_registry[i]; i++) {
		char settings[512];

		if (!repl_registry[i]->run_safe)
			continue;
		for (uint64_t seed = 1; seed <= 4; seed++) {
			const char *name = repl_registry[i]->name;

			snprintf(settings, sizeof(settings),
				 "guest.dirty_state=%s tlb.l1d.replacement=%s "
				 "tlb.l1i.replacement=%s tlb.l1d.entries=12 tlb.l1d.ways=6 "
				 "tlb.l1i.entries=8 tlb.l1i.ways=full tlb.l2.entries=48 "
				 "tlb.l2.ways=3 tlb.l2.replacement=%s",
				 seed < 4 ? "hardware" : "preset", name, name, name);
			forms_agree(settings, seed);
		}
	}
	forms_agree("guest.dirty_state=hardware guest.pages=2M host.backing=4K "
		    "tlb.l1d.entries=8 tlb.l1i.entries=8",
		    5);
	forms_agree("guest.dirty_state=hardware guest.pages=2M host.backing=2M "
		    "tlb.l1d.page_sizes=[4K] tlb.l1d.entries=8 tlb.l1i.entries=8",
		    6);
	forms_agree("tlb.l1d.entries=8 tlb.l1i.entries=8", 7);
}

/* ---- no allocation per access --------------------------------------------------------------- */

static void count_allocations(const char *settings)
{
	struct builder *b = random_block(9);
	struct session *s = session_make(settings, 2, 2, TRACE_PAGE_RUNS);
	uint64_t before;

	b->block.n_events = 0; /* unmapping makes the guest map again */
	count_from_now();
	/* Once to make spaces, tables and pages; then any number of rounds takes nothing. */
	assert_int_equal(replay_block(&s->replay, &b->block), STATUS_OK);
	before = allocations;
	assert_int_not_equal(before, 0);
	for (unsigned round = 0; round < 5; round++)
		assert_int_equal(replay_block(&s->replay, &b->block), STATUS_OK);
	assert_int_equal(replay_finish(&s->replay), STATUS_OK);
	assert_int_equal(allocations, before);
	assert_true(s->rig->machine.mmu.stats.v[STAT_walks] > 100);
	session_destroy(s);
	free(b);
}

static void no_allocation_per_access(void **state)
{
	(void)state;
	count_from_now();
	count_allocations("tlb.l1i.entries=4 tlb.l1d.entries=4 tlb.l2.entries=8 tlb.l2.ways=2");
	count_allocations("tlb.l1i.entries=4 tlb.l1d.entries=4 tlb.l2.entries=8 tlb.l2.ways=2 "
			  "guest.dirty_state=hardware");
	count_allocations("tlb.l1d.replacement=random tlb.l1i.entries=4 tlb.l1d.entries=4 "
			  "tlb.l2.entries=none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hints_change_nothing),
		cmocka_unit_test(events_within_a_block),
		cmocka_unit_test(unknown_tlbi),
		cmocka_unit_test(key_out_of_range),
		cmocka_unit_test(runs_need_safe_policies),
		cmocka_unit_test(failure_in_the_middle),
		cmocka_unit_test(store_within_a_run),
		cmocka_unit_test(dirty_runs_are_exact),
		cmocka_unit_test(no_allocation_per_access),
	};

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
