/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/suggest.h"
#include "config/params.h"

static struct config config;

static int set_up(void **state)
{
	struct diag diag = DIAG_INIT;

	(void)state;
	return params_defaults(&config, &diag) == STATUS_OK ? 0 : -1;
}

/* Setting `text` gives the canonical text `expected`. */
static void accept(const char *key, const char *text, const char *expected)
{
	struct diag diag = DIAG_INIT;
	char formatted[PARAM_TEXT_MAX];

	if (params_set(&config, key, text, &diag) != STATUS_OK)
		fail_msg("%s=%s: %s", key, text, diag.text);
	params_format(&config, params_find(key), formatted);
	assert_string_equal(formatted, expected);
	assert_int_equal(params_set(&config, key, formatted, NULL), STATUS_OK);
	params_format(&config, params_find(key), formatted);
	assert_string_equal(formatted, expected);
}

/* Setting `text` fails, changes nothing, and says `words`. */
static void refuse(const char *key, const char *text, const char *words)
{
	struct config before = config;
	struct diag diag = DIAG_INIT;

	assert_int_equal(params_set(&config, key, text, &diag), STATUS_BAD_INPUT);
	if (!strstr(diag.text, words))
		fail_msg("%s=%s: \"%s\" does not say \"%s\"", key, text, diag.text, words);
	assert_memory_equal(&before, &config, sizeof(config));
}

static void defaults_are_canonical(void **state)
{
	char text[PARAM_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		params_format(&config, &params[i], text);
		assert_string_equal(text, params[i].default_text);
		assert_ptr_equal(params_find(params[i].key), &params[i]);
	}
}

static void accepted_forms(void **state)
{
	(void)state;
	accept("stage2.ipa_bits", "52", "52");
	accept("stage2.ipa_bits", "0x28", "40");
	accept("core.id_aa64mmfr0", "4388", "0x1124");
	accept("core.id_aa64mmfr0", "0xFFFFFFFFFFFFFFFF", "0xffffffffffffffff");
	accept("cache.l2.size", "1048576", "1M");
	accept("cache.l2.size", "1536K", "1536K");
	accept("cache.l2.size", "2MiB", "2M");
	accept("cache.l2.size", "3kB", "3K");
	accept("cache.l2.size", "0", "0");
	accept("tlb.l1d.ways", "full", "full");
	accept("tlb.l1d.ways", "0", "full");
	accept("tlb.l1d.ways", "4", "4");
	accept("tlb.l2.entries", "none", "none");
	accept("host.va_bits", "any", "any");
	accept("tlb.l1d.page_sizes", "[2M, 4K]", "[4K, 2M]");
	accept("tlb.l1d.page_sizes", "4K,2M,4K", "[4K, 2M]");
	accept("tlb.l1d.page_sizes", "[ 4T ]", "[4T]");
	accept("walk_cache.s1.levels", "3, -1,0", "[-1, 0, 3]");
	accept("walk_cache.s1.levels", "[2]", "[2]");
	accept("walk_cache.s1.levels", "none", "none");
	accept("guest.pages", "pmd", "pmd");
	accept("guest.pages", "2M", "2M");
	accept("host.backing", "1G", "1G");
	accept("stage2.start_level", "-1", "-1");
	accept("stage2.start_level", "0", "0");
	accept("stage2.start_level", "auto", "auto");
	accept("stage1.granule", "65536", "64K");
	accept("tlb.l2.replacement", "fifo", "fifo");
}

static void refused_values(void **state)
{
	(void)state;
	refuse("stage2.ipa_bits", "forty", "is not a whole number");
	refuse("stage2.ipa_bits", "", "is not a whole number");
	refuse("stage2.ipa_bits", "-40", "is not a whole number");
	refuse("stage2.ipa_bits", "40.0", "is not a whole number");
	refuse("stage2.ipa_bits", " 40", "is not a whole number");
	refuse("stage2.ipa_bits", "31", "expected 32 to 52 bits");
	refuse("stage2.ipa_bits", "99999999999999999999999", "is not a whole number");
	refuse("stage2.ipa_bits", "0x", "is not a whole number");
	refuse("cache.l2.size", "1Q", "bytes, such as");
	refuse("cache.l2.size", "1MK", "bytes, such as");
	refuse("cache.l2.size", "99999999999T", "bytes, such as");
	refuse("cache.l2.size", "2T", "out of range");
	refuse("tlb.l1d.ways", "fulll", "did you mean 'full'?");
	refuse("tlb.l1d.page_sizes", "[4K", "page sizes from 4K");
	refuse("tlb.l1d.page_sizes", "4K]", "page sizes from 4K");
	refuse("tlb.l1d.page_sizes", "[]", "page sizes from 4K");
	refuse("tlb.l1d.page_sizes", "[3K]", "page sizes from 4K");
	refuse("tlb.l1d.page_sizes", "[4K,]", "page sizes from 4K");
	refuse("tlb.l1d.page_sizes", "[8T]", "page sizes from 4K");
	refuse("walk_cache.s1.levels", "[]", "levels from -1 to 3");
	refuse("walk_cache.s1.levels", "[4]", "levels from -1 to 3");
	refuse("walk_cache.s1.levels", "-2", "levels from -1 to 3");
	refuse("walk_cache.s1.levels", "[1, 2", "levels from -1 to 3");
	refuse("guest.pages", "bse", "did you mean 'base'?");
	refuse("stage2.start_level", "4", "auto, plain or a level");
	refuse("stage2.start_level", "-2", "auto, plain or a level");
	refuse("stage1.granule", "8K", "4K, 16K or 64K");
	refuse("tlb.l2.replacement", "lrru", "did you mean 'lru'?");
	refuse("tlb.l2.replacement", "zzzzzzz", "is not one of");
}

static void unknown_keys(void **state)
{
	(void)state;
	refuse("stage2.ipa_bit", "40", "did you mean 'stage2.ipa_bits'?");
	refuse("tlb.l1d.entires", "40", "did you mean 'tlb.l1d.entries'?");
	refuse("tbl.l1d", "40", "did you mean 'tlb.l1d'?");
	refuse("xyzzy", "40", "twostage list params");
	refuse("", "40", "twostage list params");
}

static void set_options(void **state)
{
	struct diag diag = DIAG_INIT;

	(void)state;
	assert_int_equal(params_set_option(&config, "stage2.ipa_bits=44", &diag), STATUS_OK);
	assert_int_equal(config.stage2.ipa_bits, 44);
	assert_int_equal(params_set_option(&config, "stage2.ipa_bits=45x", &diag),
			 STATUS_BAD_INPUT);
	assert_string_equal(diag.place, "--set stage2.ipa_bits=45x");
	diag = (struct diag)DIAG_INIT;
	assert_int_equal(params_set_option(&config, "stage2.ipa_bits", &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "KEY=VALUE"));
}

/* The caller frees it. */
static char *canonical(void)
{
	struct params_text *text = params_text_create();
	size_t n_bytes;
	char *copy;

	assert_non_null(text);
	copy = strdup(params_text_of(text, &config, &n_bytes));
	params_text_free(text);
	return copy;
}

/* Every parameter once, sorted, and each difference shows. */
static void canonical_text(void **state)
{
	char *before = canonical(), *after;
	const char *last = "";
	size_t lines = 0;

	(void)state;
	assert_non_null(before);
	for (char *line = strtok(before, "\n"); line; line = strtok(NULL, "\n")) {
		assert_true(strcmp(last, line) < 0);
		last = line;
		lines++;
	}
	assert_int_equal(lines, PARAM_COUNT);
	free(before);
	before = canonical();
	config.seed++;
	after = canonical();
	assert_string_not_equal(before, after);
	free(before);
	free(after);
}

/* Texts of the shape of values, mangled: never a crash, never a half-set field. */
static void mangled_texts(void **state)
{
	static const char alphabet[] = "0123456789xKMGT[], aufolnepmdr-\xff";
	uint64_t random = 1;
	char text[24];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		const struct param *param = &params[(size_t)round % PARAM_COUNT];
		struct config before = config;
		size_t length = 0;

		for (; length < sizeof(text) - 1; length++) {
			random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
			if ((random >> 60) == 0)
				break;
			text[length] = alphabet[(random >> 33) % (sizeof(alphabet) - 1)];
		}
		text[length] = '\0';
		if (params_set_row(&config, param, text, NULL) != STATUS_OK) {
			assert_memory_equal(&before, &config, sizeof(config));
		} else {
			char once[PARAM_TEXT_MAX], twice[PARAM_TEXT_MAX];

			params_format(&config, param, once);
			assert_int_equal(params_set_row(&config, param, once, NULL), STATUS_OK);
			params_format(&config, param, twice);
			assert_string_equal(once, twice);
		}
	}
}

static void distances(void **state)
{
	char longer[200];

	(void)state;
	assert_int_equal(suggest_distance("", ""), 0);
	assert_int_equal(suggest_distance("abc", ""), 3);
	assert_int_equal(suggest_distance("lru", "lur"), 1);
	assert_int_equal(suggest_distance("entries", "entires"), 1);
	assert_int_equal(suggest_distance("kitten", "sitting"), 3);
	assert_int_equal(suggest_distance("LRU", "lru"), 0);
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_true(suggest_distance(longer, "a") == SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(defaults_are_canonical, set_up),
		cmocka_unit_test_setup(accepted_forms, set_up),
		cmocka_unit_test_setup(refused_values, set_up),
		cmocka_unit_test_setup(unknown_keys, set_up),
		cmocka_unit_test_setup(set_options, set_up),
		cmocka_unit_test_setup(canonical_text, set_up),
		cmocka_unit_test_setup(mangled_texts, set_up),
		cmocka_unit_test(distances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
