/* SPDX-License-Identifier: BSD-2-Clause */
/* The specification of a synthetic trace: its keys, from text and from YAML. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/yaml_tree.h"
#include "trace/gen.h"
#include "trace/source.h"

#define IN_SPEC(member)	 GEN_KEY_SPEC, GEN_NUMBER, offsetof(struct gen_spec, member)
#define COUNT(member)	 GEN_KEY_PHASE, GEN_NUMBER, offsetof(struct gen_phase, member)
#define BYTES(member)	 GEN_KEY_PHASE, GEN_BYTES, offsetof(struct gen_phase, member)
#define PATTERN(member)	 GEN_KEY_PHASE, GEN_NAME, offsetof(struct gen_phase, member)
#define FRACTION(member) GEN_KEY_PHASE, GEN_THOUSANDTHS, offsetof(struct gen_phase, member)

#define MAX_COUNT (UINT64_C(1) << 48)
#define MAX_BYTES (UINT64_C(1) << 47)

static const char *const patterns[] = { "stride", "uniform", "zipf", "chase", "gups", "stencil" };

enum { N_PATTERNS = sizeof(patterns) / sizeof(patterns[0]) };

const struct gen_key gen_keys[] = {
	{ "pattern", "NAME", "stride, uniform, zipf, chase, gups or stencil", PATTERN(pattern), 0,
	  N_PATTERNS - 1, GEN_UNIFORM },
	{ "accesses", "COUNT", "loads and stores of all vCPUs", COUNT(accesses), 1, MAX_COUNT,
	  1000000 },
	{ "footprint", "BYTES", "memory that the pattern covers", BYTES(footprint), 1, MAX_BYTES,
	  64 << 20 },
	{ "base", "ADDRESS", "first address of the footprint", BYTES(base), 1 << 20, MAX_BYTES,
	  1 << 28 },
	{ "size", "BYTES", "of an access: 1, 2, 4, ... 128", BYTES(size), 1, 128, 8 },
	{ "stride", "BYTES", "stride: between two accesses", BYTES(stride), 1, MAX_BYTES, 64 },
	{ "item", "BYTES", "zipf: what is popular (default 4096); chase: a node (default 64)",
	  BYTES(item), 0, MAX_BYTES, 0 },
	{ "row", "BYTES", "stencil: a row of the grid", BYTES(row), 24, MAX_BYTES, 32768 },
	{ "stores", "PERCENT", "stride, uniform, zipf: accesses that are stores", COUNT(stores), 0,
	  100, 0 },
	{ "skew", "NUMBER", "zipf: exponent, with up to three decimals", FRACTION(skew), 0, 4000,
	  990 },
	{ "fetches", "COUNT", "instruction fetches before each load or store", COUNT(fetches), 0,
	  1000, 0 },
	{ "code", "BYTES", "the loop that the fetches run through", BYTES(code), 4, 1 << 20, 256 },
	{ "fork_every", "COUNT", "accesses of a process from fork to fork; 0: none",
	  COUNT(fork_every), 0, MAX_COUNT, 0 },
	{ "unmap_every", "COUNT", "accesses of a process between unmaps; 0: none",
	  COUNT(unmap_every), 0, MAX_COUNT, 0 },
	{ "unmap", "BYTES", "what it unmaps: the next part of the footprint", BYTES(unmap), 4096,
	  MAX_BYTES, 2 << 20 },
	{ "seed", "NUMBER", "of all random draws", IN_SPEC(seed), 0, UINT64_MAX, 1 },
	{ "repeat", "COUNT", "times that all phases run", IN_SPEC(repeat), 1, MAX_COUNT, 1 },
	{ "vcpus", "COUNT", "that take turns", IN_SPEC(vcpus), 1, 1024, 1 },
	{ "vms", "COUNT", "that the vCPUs belong to, or switch between", IN_SPEC(vms), 1, 65535,
	  1 },
	{ "slice", "COUNT", "accesses of a vCPU before the next one's turn", IN_SPEC(slice), 1,
	  MAX_COUNT, 1 },
	{ "quantum", "COUNT", "accesses of a vCPU before it switches its VM", IN_SPEC(quantum), 1,
	  MAX_COUNT, 100000 },
	{ "processes", "COUNT", "of each VM, with an ASID each, in turn", IN_SPEC(processes), 1,
	  32767, 1 },
	{ "process_quantum", "COUNT", "accesses of a vCPU before the next process's turn",
	  IN_SPEC(process_quantum), 1, MAX_COUNT, 10000 },
	{ 0 },
};

static uint64_t *value_of(struct gen_spec *spec, size_t phase, const struct gen_key *key)
{
	char *base = key->where == GEN_KEY_SPEC ? (char *)spec : (char *)&spec->phases[phase];

	return (uint64_t *)(void *)(base + key->offset);
}

void gen_spec_init(struct gen_spec *spec)
{
	*spec = (struct gen_spec){ .n_phases = 1 };
	for (const struct gen_key *key = gen_keys; key->name; key++)
		*value_of(spec, 0, key) = key->initial;
}

/* "k", "M", ... behind a number. */
static bool take_suffix(struct text_cursor *c, uint64_t unit, uint64_t *value)
{
	static const char suffixes[] = "KMGT";
	const char *found = c->p < c->end ? strchr(suffixes, *c->p == 'k' ? 'K' : *c->p) : NULL;

	if (!found || !*found)
		return true;
	c->p++;
	for (const char *s = suffixes; s <= found; s++)
		if (__builtin_mul_overflow(*value, unit, value))
			return false;
	return true;
}

/* A number with at most three decimals, in thousandths. */
static bool take_thousandths(struct text_cursor *c, uint64_t *value)
{
	uint64_t scale = 100;

	if (!text_number(c, value) || __builtin_mul_overflow(*value, 1000, value))
		return false;
	if (!text_word(c, "."))
		return true;
	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9' && scale; c->p++, scale /= 10)
		*value += (uint64_t)(*c->p - '0') * scale;
	return true;
}

static const char *expected(const struct gen_key *key)
{
	switch (key->kind) {
	case GEN_NAME:
		return "stride, uniform, zipf, chase, gups or stencil";
	case GEN_BYTES:
		return "bytes, as 4096, 0x1000, 64K, 1G";
	case GEN_THOUSANDTHS:
		return "a number with at most three decimals, 0..4";
	case GEN_NUMBER:
		break;
	}
	return "a number, as 20000000 or 20M";
}

static const char *range_text(const struct gen_key *key, char text[GEN_RANGE_BYTES])
{
	const uint64_t scale = key->kind == GEN_THOUSANDTHS ? 1000 : 1;

	snprintf(text, GEN_RANGE_BYTES, "%" PRIu64 " to %" PRIu64, key->min / scale,
		 key->max / scale);
	return text;
}

const char *gen_set(struct gen_spec *spec, size_t phase, const struct gen_key *key,
		    const char *text, char range[GEN_RANGE_BYTES])
{
	struct text_cursor c = { text, text + strlen(text) };
	uint64_t value = 0;
	bool ok;

	if (key->kind == GEN_NAME) {
		while (value < N_PATTERNS && strcmp(text, patterns[value]) != 0)
			value++;
		ok = value < N_PATTERNS;
		c.p = c.end;
	} else if (key->kind == GEN_THOUSANDTHS) {
		ok = take_thousandths(&c, &value);
	} else {
		ok = text_number(&c, &value) &&
		     take_suffix(&c, key->kind == GEN_BYTES ? 1024 : 1000, &value);
	}
	if (!ok || c.p != c.end)
		return expected(key);
	if (value < key->min || value > key->max)
		return range_text(key, range);
	*value_of(spec, phase, key) = value;
	return NULL;
}

const struct gen_key *gen_find_key(const char *name, const char **nearest)
{
	struct suggest search;

	suggest_init(&search, name);
	for (const struct gen_key *key = gen_keys; key->name; key++) {
		if (strcmp(key->name, name) == 0)
			return key;
		suggest_offer(&search, key->name);
	}
	*nearest = search.best;
	return NULL;
}

/* ---- YAML ---------------------------------------------------------------------------------- */

static enum exit_status load_item(struct gen_spec *spec, size_t phase, const struct yaml_tree *tree,
				  const struct yaml_item *item, struct diag *diag)
{
	const char *nearest, *wrong;
	const struct gen_key *key = gen_find_key(item->key, &nearest);
	char range[GEN_RANGE_BYTES];

	if (!key)
		return yaml_tree_key_error(tree, item, diag, "no key '%s'%s%s%s", item->key,
					   nearest ? "; did you mean '" : "",
					   nearest ? nearest : "", nearest ? "'?" : "");
	if (item->value.kind != YAML_SCALAR)
		return yaml_tree_error(tree, &item->value, diag, "%s: expected %s, found %s",
				       key->name, expected(key), yaml_kind_name(item->value.kind));
	if ((wrong = gen_set(spec, phase, key, item->value.text, range)))
		return yaml_tree_error(tree, &item->value, diag, "%s: expected %s, found '%s'",
				       key->name, wrong, item->value.text);
	return STATUS_OK;
}

static enum exit_status load_phase(struct gen_spec *spec, const struct yaml_tree *tree,
				   const struct yaml_node *node, struct diag *diag)
{
	const size_t phase = spec->n_phases;
	enum exit_status status = STATUS_OK;

	if (node->kind != YAML_MAP)
		return yaml_tree_error(tree, node, diag, "expected a map of keys, found %s",
				       yaml_kind_name(node->kind));
	for (size_t i = 0; i < node->n_items && !status; i++) {
		const char *nearest;
		const struct gen_key *key = gen_find_key(node->items[i].key, &nearest);

		if (key && key->where == GEN_KEY_SPEC)
			return yaml_tree_key_error(tree, &node->items[i], diag,
						   "'%s' holds for all phases: put it outside",
						   key->name);
		status = load_item(spec, phase, tree, &node->items[i], diag);
	}
	return status;
}

static enum exit_status load_phases(struct gen_spec *spec, const struct yaml_tree *tree,
				    const struct yaml_node *list, struct diag *diag)
{
	const struct gen_phase outside = spec->phases[0];
	enum exit_status status = STATUS_OK;

	if (list->kind != YAML_LIST || list->n_items == 0 || list->n_items > GEN_MAX_PHASES)
		return yaml_tree_error(tree, list, diag, "phases: expected a list of 1..%d maps",
				       GEN_MAX_PHASES);
	for (spec->n_phases = 0; spec->n_phases < list->n_items && !status; spec->n_phases++) {
		spec->phases[spec->n_phases] = outside;
		status = load_phase(spec, tree, &list->items[spec->n_phases].value, diag);
	}
	return status;
}

static enum exit_status load_tree(struct gen_spec *spec, const struct yaml_tree *tree,
				  struct diag *diag)
{
	const struct yaml_node *root = &tree->root;
	enum exit_status status = STATUS_OK;

	if (root->kind != YAML_MAP)
		return yaml_tree_error(tree, root, diag, "expected a map of keys, found %s",
				       yaml_kind_name(root->kind));
	for (size_t i = 0; i < root->n_items && !status; i++)
		if (strcmp(root->items[i].key, "phases") != 0)
			status = load_item(spec, 0, tree, &root->items[i], diag);
	if (!status && yaml_tree_get(root, "phases"))
		status = load_phases(spec, tree, yaml_tree_get(root, "phases"), diag);
	return status;
}

enum exit_status gen_load(struct gen_spec *spec, const char *path, struct diag *diag)
{
	struct yaml_tree *tree = yaml_tree_load(path, diag);
	enum exit_status status = tree ? load_tree(spec, tree, diag) : diag->status;

	if (tree && !status && gen_check(spec, diag) != STATUS_OK) {
		diag_place(diag, "%s", path);
		status = diag->status;
	}
	yaml_tree_free(tree);
	return status;
}

/* ---- together ------------------------------------------------------------------------------ */

static const char *refuse_phase(const struct gen_phase *p)
{
	const uint64_t item = p->item ? p->item : p->pattern == GEN_ZIPF ? 4096 : 64;

	if (p->size & (p->size - 1))
		return "size: expected a power of two";
	if (p->base % 4096)
		return "base: expected an address aligned to 4096";
	if (p->base + p->footprint > MAX_BYTES)
		return "base and footprint: expected an end below 2^47";
	if (p->code % 4 || p->code + 4096 > p->base)
		return "code: expected a multiple of 4 that fits below base";
	if (p->footprint < p->size)
		return "footprint: expected at least one access";
	if (p->pattern == GEN_STRIDE && p->footprint < p->stride)
		return "footprint: expected at least one stride";
	if ((p->pattern == GEN_ZIPF || p->pattern == GEN_CHASE) &&
	    (p->footprint < item || item < p->size))
		return "item: expected at least the size of an access and at most the footprint";
	if (p->pattern == GEN_STENCIL &&
	    (p->row % p->size || p->row / p->size < 3 || p->footprint / 2 / p->row < 3))
		return "row: expected a multiple of size, and a footprint of two grids of 3 by 3 "
		       "or more";
	return NULL;
}

enum exit_status gen_check(const struct gen_spec *spec, struct diag *diag)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < spec->n_phases; i++) {
		const char *wrong = refuse_phase(&spec->phases[i]);

		if (!wrong && spec->phases[i].fork_every &&
		    (spec->processes > 1 || spec->vms < spec->vcpus))
			wrong = "fork_every: expected one process in each VM, and no VM with "
				"several vCPUs";

		if (wrong && spec->n_phases == 1)
			return diag_set(diag, STATUS_BAD_INPUT, "%s", wrong);
		if (wrong)
			return diag_set(diag, STATUS_BAD_INPUT, "phase %zu: %s", i + 1, wrong);
		sum += spec->phases[i].accesses;
	}
	if (sum > MAX_COUNT / spec->repeat)
		return diag_set(diag, STATUS_BAD_INPUT, "expected at most 2^48 accesses in all");
	return STATUS_OK;
}

char *gen_describe(const struct gen_spec *spec)
{
	struct gen_spec copy = *spec;
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return NULL;
	fprintf(out, "generator: twostage trace gen\n");
	for (const struct gen_key *key = gen_keys; key->name; key++)
		if (key->where == GEN_KEY_SPEC)
			fprintf(out, "%s: %" PRIu64 "\n", key->name, *value_of(&copy, 0, key));
	for (size_t i = 0; i < spec->n_phases; i++) {
		fprintf(out, "phase %zu:", i + 1);
		for (const struct gen_key *key = gen_keys; key->name; key++) {
			uint64_t value = *value_of(&copy, i, key);

			if (key->where == GEN_KEY_SPEC)
				continue;
			if (key->kind == GEN_NAME)
				fprintf(out, " %s=%s", key->name, patterns[value]);
			else if (key->kind == GEN_THOUSANDTHS)
				fprintf(out, " %s=%" PRIu64 ".%03" PRIu64, key->name, value / 1000,
					value % 1000);
			else
				fprintf(out, " %s=%" PRIu64, key->name, value);
		}
		fprintf(out, "\n");
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
