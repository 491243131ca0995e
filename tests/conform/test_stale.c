/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Without the TLB invalidation that a change requires, an answer may be stale, but nothing else: it
 * is the naive translator's for some choice, word by word, among the values that the changed
 * descriptors have had since the last TLBI ALLE1 (hardware may cache each of them by itself). And
 * stale answers do come up, or the test would show nothing.
 *
 * test_stale [SEED STEPS]; without arguments 10^5 steps (TWOSTAGE_LONG: 10^7).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "twin.h"

enum { STEPS_A_CASE = 2000, CHANGED_MAX = 4, VALUES_MAX = 2, READS_MAX = 10 };

struct changed {
	uint32_t word;
	unsigned values;
	uint64_t value[VALUES_MAX]; /* the last is in memory */
};

static struct twin twin;
static struct changed changed[CHANGED_MAX];
static unsigned changed_count;
static unsigned long passed, failed, stale;

static void forget(void)
{
	twin_tlbi(&twin, ALLE1, 0, 0);
	changed_count = 0;
}

static void step_change(void)
{
	uint32_t i = (uint32_t)rng_below(&twin.gen.rng, twin.gen.words.count + 1);
	struct changed *c = changed;

	if (i == twin.gen.words.count || !twin.use[i].met)
		return;
	while (c < changed + changed_count && c->word != i)
		c++;
	if (c == changed + CHANGED_MAX ||
	    (c < changed + changed_count && c->values == VALUES_MAX)) {
		forget();
		return;
	}
	if (c == changed + changed_count) {
		*c = (struct changed){ .word = i,
				       .values = 1,
				       .value = { twin.gen.words.value[i] } };
		changed_count++;
	}
	c->value[c->values] = twin_new_word(&twin, i);
	twin_write(&twin, i, c->value[c->values++]);
}

/* The walk under way: which value each read of a changed word gives, in order. */
static unsigned choice[READS_MAX], limit[READS_MAX], reads;

static uint64_t read_chosen(uint32_t i, uint64_t value)
{
	for (unsigned k = 0; k < changed_count; k++)
		if (changed[k].word == i && reads < READS_MAX) {
			limit[reads] = changed[k].values;
			return changed[k].value[choice[reads++]];
		}
	return value;
}

/* The next choice after a walk; false after the last one. */
static bool next_choice(void)
{
	while (reads) {
		if (++choice[reads - 1] < limit[reads - 1])
			return true;
		choice[--reads] = 0;
	}
	return false;
}

/*
 * Walk by every choice; with an answer, until one gives it. The first round, without, is there to
 * make up all memory that a stale descriptor may lead the hierarchy to.
 */
static bool try_choices(const struct naive_access *a, const struct twin_answer *answer)
{
	char difference[ENGINE_DIFFERENCE_MAX];
	struct naive_result r;
	bool found;

	twin.reads = read_chosen;
	memset(choice, 0, sizeof(choice));
	do {
		reads = 0;
		twin_naive(&twin, a, &r);
		found = answer && twin_agrees(&twin, a, &r, answer, difference);
	} while (!found && next_choice());
	twin.reads = NULL;
	return found;
}

static bool step_access(void)
{
	char difference[ENGINE_DIFFERENCE_MAX];
	struct twin_answer answer;
	struct naive_result naive;
	struct naive_access a = twin_pick(&twin);

	try_choices(&a, NULL);
	twin_naive(&twin, &a, &naive);
	twin_ask(&twin, &a, &answer);
	if (twin_agrees(&twin, &a, &naive, &answer, difference))
		return true;
	if (try_choices(&a, &answer)) {
		stale++;
		return true;
	}
	printf("space %u va %" PRIx64 " kind %d: %s\n", twin.current, a.va, a.kind, difference);
	return false;
}

static void run_case(uint64_t seed)
{
	bool good = true;

	twin_start(&twin, seed, TWIN_NO_UPDATES);
	changed_count = 0;
	for (unsigned i = 0; i < STEPS_A_CASE && good && twin.gen.words.count < WORDS_MAX - 1000;
	     i++) {
		if (rng_chance(&twin.gen.rng, 5))
			step_change();
		good = step_access();
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
	uint64_t seed = 1, steps = more && *more ? 10000000 : 100000;

	if (argc == 3) {
		seed = strtoull(argv[1], NULL, 0);
		steps = strtoull(argv[2], NULL, 0);
	}
	if (!twin_init(&twin))
		return 70;
	for (; passed < steps && failed < 20; seed++)
		run_case(seed);
	twin_fini(&twin);
	printf("%lu stale answers, each of an earlier state\n", stale);
	if (stale < passed / 1000) {
		printf("too few stale answers to show anything\n");
		failed++;
	}
	printf("%lu passed, %lu failed\n", passed, failed);
	return failed != 0;
}
