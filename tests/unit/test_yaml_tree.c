/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/yaml_tree.h"

static struct yaml_tree *parse(const char *text, struct diag *diag)
{
	return yaml_tree_parse("f.yaml", text, strlen(text), diag);
}

/* Parsing fails at `place` and says `words`. */
static void refuse(const char *text, const char *place, const char *words)
{
	struct diag diag = DIAG_INIT;

	assert_null(parse(text, &diag));
	assert_int_equal(diag.status, STATUS_BAD_INPUT);
	assert_string_equal(diag.place, place);
	if (!strstr(diag.text, words))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, words);
}

static void places(void **state)
{
	struct diag diag = DIAG_INIT;
	struct yaml_tree *tree = parse("a: 1\nb:\n  c: [x, 'y z']\n", &diag);
	const struct yaml_node *list;

	(void)state;
	assert_non_null(tree);
	assert_int_equal(tree->root.kind, YAML_MAP);
	assert_int_equal(tree->root.n_items, 2);
	assert_string_equal(yaml_tree_get(&tree->root, "a")->text, "1");
	assert_null(yaml_tree_get(&tree->root, "c"));
	list = yaml_tree_get(yaml_tree_get(&tree->root, "b"), "c");
	assert_int_equal(list->kind, YAML_LIST);
	assert_int_equal(list->line, 3);
	assert_int_equal(list->column, 6);
	assert_string_equal(list->items[1].value.text, "y z");
	assert_int_equal(list->items[1].value.column, 10);
	assert_int_equal(tree->root.items[1].key_line, 2);
	yaml_tree_error(tree, list, &diag, "wrong %d", 7);
	assert_string_equal(diag.place, "f.yaml:3:6");
	assert_string_equal(diag.text, "wrong 7");
	yaml_tree_free(tree);
}

static void empty_files(void **state)
{
	static const char *const texts[] = { "", "\n", "# nothing\n", "---\n", "--- ''\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct yaml_tree *tree = parse(texts[i], NULL);

		assert_non_null(tree);
		assert_int_equal(tree->root.kind, YAML_SCALAR);
		assert_string_equal(tree->root.text, "");
		yaml_tree_free(tree);
	}
}

static void refused(void **state)
{
	(void)state;
	refuse("a: 1\nb: 2\n a: 3\n", "f.yaml:3:3", "not valid YAML");
	refuse("a: 1\nb: 2\na: 3\n", "f.yaml:3:1", "duplicate key 'a'; it is already in line 1");
	refuse("a: {x: 1, x: 2}\n", "f.yaml:1:11", "duplicate key 'x'");
	refuse("a: &x 1\n", "f.yaml:1:4", "anchors");
	refuse("a: &x [*x]\n", "f.yaml:1:4", "anchors");
	refuse("a: *x\n", "f.yaml:1:4", "aliases");
	refuse("a: !!str 1\n", "f.yaml:1:4", "tags");
	refuse("? [1, 2]\n: 3\n", "f.yaml:1:3", "plain word");
	refuse("a: 1\n---\nb: 2\n", "f.yaml:2:1", "second document");
	refuse("a: [1, 2\n", "f.yaml:2:1", "not valid YAML");
	refuse("a: \"1\\0\"\n", "f.yaml:1:4", "NUL");
	refuse("a: \xff\n", "f.yaml: byte 3", "not valid YAML");
}

static void deep_nesting(void **state)
{
	struct diag diag = DIAG_INIT;
	enum { DEPTH = 200000 };
	char *text = malloc(DEPTH + 1);

	(void)state;
	memset(text, '[', DEPTH);
	text[DEPTH] = '\0';
	assert_null(parse(text, &diag));
	assert_string_equal(diag.place, "f.yaml:1:33");
	assert_non_null(strstr(diag.text, "nested deeper than 32"));
	free(text);
}

static void files(void **state)
{
	struct diag diag = DIAG_INIT;

	(void)state;
	assert_null(yaml_tree_load("/nonexistent/f.yaml", &diag));
	assert_int_equal(diag.status, STATUS_NO_INPUT);
	diag = (struct diag)DIAG_INIT;
	assert_null(yaml_tree_load("/", &diag));
	assert_int_equal(diag.status, STATUS_IO);
	diag = (struct diag)DIAG_INIT;
	assert_null(yaml_tree_load("/dev/zero", &diag));
	assert_int_equal(diag.status, STATUS_BAD_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),  cmocka_unit_test(empty_files),
		cmocka_unit_test(refused), cmocka_unit_test(deep_nesting),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
