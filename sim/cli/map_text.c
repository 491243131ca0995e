/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/map_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

#define MAX_STEP_COUNT (UINT64_C(1) << 24)

enum exit_status map_open(struct map_reader *reader, const char *path, struct diag *diag)
{
	enum exit_status status;

	*reader = (struct map_reader){ 0 };
	status = line_open(&reader->line, path, diag);
	if (status != STATUS_OK)
		return status;
	reader->work = malloc(LINE_BYTES);
	if (!reader->work)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	return STATUS_OK;
}

void map_close(struct map_reader *reader)
{
	line_close(&reader->line);
	free(reader->work);
	*reader = (struct map_reader){ 0 };
}

/* A number, decimal or 0x..., with K, M, G or T behind it; *end points behind it. */
static bool number(const char *text, const char **end, uint64_t *out)
{
	static const char units[] = "KMGT";
	const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	const char *unit;
	char *stop;

	if (!(*digits >= '0' && *digits <= '9') &&
	    !(hex && strchr("abcdefABCDEF", *digits) && *digits))
		return false;
	errno = 0;
	*out = strtoull(digits, &stop, hex ? 16 : 10);
	if (errno)
		return false;
	unit = *stop ? strchr(units, *stop) : NULL;
	if (unit) {
		const unsigned shift = 10 * (unsigned)(unit - units + 1);

		if (*out >> (64 - shift))
			return false;
		*out <<= shift;
		stop++;
	}
	*end = stop;
	return true;
}

static bool whole_number(const char *text, uint64_t *out)
{
	const char *end;

	return number(text, &end, out) && *end == '\0';
}

/* ---- "key=value" lines -------------------------------------------------------------------- */

/* What a line of either kind fills. */
struct target {
	struct kvm_host *host;
	struct map_case *what;
};

struct key {
	const char *name;
	const char *expected; /* of its value */
	bool optional;
	bool (*set)(struct target *target, const char *value);
};

static bool flag_value(const char *value, bool *out)
{
	*out = strcmp(value, "1") == 0;
	return *out || strcmp(value, "0") == 0;
}

static bool set_kernel(struct target *t, const char *value)
{
	uint64_t major, minor;
	const char *end;

	if (!number(value, &end, &major) || *end != '.' || !whole_number(end + 1, &minor) ||
	    major != 6 || minor < 1 || minor > 12)
		return false;
	t->host->kernel = KVM_KERNEL(6, (unsigned)minor);
	return true;
}

static bool set_page(struct target *t, const char *value)
{
	if (strcmp(value, "4k") == 0)
		t->host->page = GRANULE_4K;
	else if (strcmp(value, "16k") == 0)
		t->host->page = GRANULE_16K;
	else if (strcmp(value, "64k") == 0)
		t->host->page = GRANULE_64K;
	else
		return false;
	return true;
}

/* Of the cores that the cases name only QEMU's "max" has FEAT_TLBIRANGE. */
static bool set_cpu(struct target *t, const char *value)
{
	t->host->tlbi_range = strcmp(value, "max") == 0;
	return *value != '\0';
}

static bool set_ipa_limit(struct target *t, const char *value)
{
	uint64_t n;

	if (!whole_number(value, &n) || n < KVM_MIN_IPA_BITS || n > 52)
		return false;
	t->host->ipa_limit_bits = (unsigned)n;
	return true;
}

static bool set_dic(struct target *t, const char *value)
{
	return flag_value(value, &t->host->dic);
}

static bool set_fwb(struct target *t, const char *value)
{
	return flag_value(value, &t->host->fwb);
}

static bool set_lpa2(struct target *t, const char *value)
{
	return flag_value(value, &t->host->lpa2);
}

static bool set_name(struct target *t, const char *value)
{
	if (!*value || strlen(value) >= sizeof(t->what->name))
		return false;
	memcpy(t->what->name, value, strlen(value) + 1);
	return true;
}

static bool set_ipa(struct target *t, const char *value)
{
	uint64_t n;

	if (!whole_number(value, &n) || n > 255)
		return false;
	t->what->vm.ipa_bits = (unsigned)n;
	return true;
}

static bool set_base(struct target *t, const char *value)
{
	return whole_number(value, &t->what->slot.base) && t->what->slot.base >> 56 == 0;
}

static bool set_size(struct target *t, const char *value)
{
	return whole_number(value, &t->what->slot.bytes) && t->what->slot.bytes >> 56 == 0;
}

static bool set_backing(struct target *t, const char *value)
{
	uint64_t n;

	if (strcmp(value, "anon") == 0) {
		t->what->slot.backing = KVM_BACKING_ANON;
	} else if (strcmp(value, "thp") == 0) {
		t->what->slot.backing = KVM_BACKING_THP;
	} else if (strncmp(value, "htlb", 4) == 0 && whole_number(value + 4, &n) && n < 64 &&
		   kvm_hugetlb_exists(t->host->page, (unsigned)n)) {
		t->what->slot.backing = KVM_BACKING_HUGETLB;
		t->what->slot.hugetlb_bits = (unsigned)n;
	} else {
		return false;
	}
	return true;
}

static bool set_skew(struct target *t, const char *value)
{
	return whole_number(value, &t->what->skew);
}

static bool set_flags(struct target *t, const char *value)
{
	uint64_t n;

	if (!whole_number(value, &n) || n > (KVM_SLOT_LOG | KVM_SLOT_READ_ONLY))
		return false;
	t->what->slot.flags = (unsigned)n;
	return true;
}

static bool set_manual(struct target *t, const char *value)
{
	uint64_t n;

	if (!whole_number(value, &n) || n > 3 || n == 2)
		return false;
	t->what->vm.manual_protect = n & 1;
	t->what->vm.initially_set = n & 2;
	return true;
}

static bool set_chunk(struct target *t, const char *value)
{
	uint64_t n;

	if (!whole_number(value, &n) || (n && !kvm_block_size_supported(t->host->page, n)))
		return false;
	t->what->vm.split_chunk_bytes = n;
	return true;
}

static bool set_script(struct target *t, const char *value)
{
	t->what->script = value;
	return true;
}

static const struct key host_keys[] = {
	{ "kernel", "6.1 to 6.12", false, set_kernel },
	{ "page", "4k, 16k or 64k", false, set_page },
	{ "cpu", "a name", false, set_cpu },
	{ "ipa_limit", "32 to 52", false, set_ipa_limit },
	{ "dic", "0 or 1", false, set_dic },
	{ "fwb", "0 or 1", false, set_fwb },
	{ "lpa2", "0 or 1", false, set_lpa2 },
	{ 0 },
};

static const struct key case_keys[] = {
	{ "name", "a name of at most 127 bytes", false, set_name },
	{ "ipa", "a number of bits, 0 to 255", false, set_ipa },
	{ "base", "an address below 2^56", false, set_base },
	{ "size", "a size below 2^56", false, set_size },
	{ "backing", "anon, thp or htlbN with a hugetlb size of the page size", false,
	  set_backing },
	{ "hskew", "a size", false, set_skew },
	{ "flags", "0 to 3", true, set_flags },
	{ "manual", "0, 1 or 3", true, set_manual },
	{ "chunk", "0, or the size of a page or block", true, set_chunk },
	{ "script", "steps", false, set_script },
	{ 0 },
};

static enum exit_status set_key(const struct map_reader *reader, const struct key *keys, char *word,
				struct target *target, unsigned *seen, struct diag *diag)
{
	char *value = strchr(word, '=');
	struct suggest search;
	unsigned i = 0;

	if (!value)
		return line_bad(&reader->line, diag, "'%.60s'; expected KEY=VALUE", word);
	*value++ = '\0';
	suggest_init(&search, word);
	while (keys[i].name && strcmp(keys[i].name, word) != 0)
		suggest_offer(&search, keys[i++].name);
	if (!keys[i].name)
		return search.best ? line_bad(&reader->line, diag,
					      "unknown key '%.60s'; did you mean '%s'?", word,
					      search.best)
				   : line_bad(&reader->line, diag, "unknown key '%.60s'", word);
	if (*seen >> i & 1)
		return line_bad(&reader->line, diag, "key '%s' stands twice", word);
	*seen |= 1U << i;
	if (!keys[i].set(target, value))
		return line_bad(&reader->line, diag, "%s=%.60s; expected %s", word, value,
				keys[i].expected);
	return STATUS_OK;
}

/* `words` is cut up; values point into it. */
static enum exit_status set_keys(const struct map_reader *reader, const struct key *keys,
				 char *words, struct target *target, struct diag *diag)
{
	unsigned seen = 0;
	char *rest = words;

	for (char *word; (word = strtok_r(NULL, " \t", &rest));) {
		enum exit_status status = set_key(reader, keys, word, target, &seen, diag);

		if (status != STATUS_OK)
			return status;
	}
	for (unsigned i = 0; keys[i].name; i++) {
		if (!keys[i].optional && !(seen >> i & 1))
			return line_bad(&reader->line, diag, "no '%s='; expected %s", keys[i].name,
					keys[i].expected);
	}
	return STATUS_OK;
}

enum exit_status map_next(struct map_reader *reader, enum map_line *kind, struct kvm_host *host,
			  struct map_case *what, struct diag *diag)
{
	struct target target = { .host = host, .what = what };
	bool eof = false;
	const enum exit_status status = line_next(&reader->line, &eof, diag);

	if (status != STATUS_OK)
		return status;
	memcpy(reader->work, reader->line.text, reader->line.text_bytes + 1);
	*kind = MAP_OTHER;
	if (eof) {
		*kind = MAP_EOF;
	} else if (strncmp(reader->line.text, "host ", 5) == 0) {
		*kind = MAP_HOST;
		*host = (struct kvm_host){ .rule = host->rule, .hw_af = true };
		return set_keys(reader, host_keys, reader->work + 5, &target, diag);
	} else if (strncmp(reader->line.text, "name=", 5) == 0) {
		if (!host->kernel)
			return line_bad(&reader->line, diag,
					"no 'host' line before the first set-up");
		*kind = MAP_CASE;
		*what = (struct map_case){ 0 };
		return set_keys(reader, case_keys, reader->work, &target, diag);
	} else if (strncmp(reader->line.text, "snap ", 5) == 0) {
		*kind = MAP_SNAP;
	} else if (reader->line.text[0] != '#' &&
		   reader->line.text[strspn(reader->line.text, " \t")]) {
		return line_bad(&reader->line, diag,
				"'%.40s'; expected a line with host, name=, snap or a comment",
				reader->line.text);
	}
	return STATUS_OK;
}

/* ---- scripts ------------------------------------------------------------------------------ */

static const struct step_name {
	const char *name;
	enum map_step_kind kind;
	enum access_kind access;
	unsigned numbers;
} steps[] = {
	{ "r", MAP_STEP_ACCESS, ACCESS_LOAD, 3 },  { "w", MAP_STEP_ACCESS, ACCESS_STORE, 3 },
	{ "x", MAP_STEP_ACCESS, ACCESS_FETCH, 3 }, { "logon", MAP_STEP_LOG_ON, 0, 0 },
	{ "logoff", MAP_STEP_LOG_OFF, 0, 0 },	   { "getlog", MAP_STEP_GET_LOG, 0, 0 },
	{ "clrlog", MAP_STEP_CLEAR_LOG, 0, 2 },	   { "discard", MAP_STEP_DISCARD, 0, 2 },
	{ "collapse", MAP_STEP_COLLAPSE, 0, 1 },   { "snap", MAP_STEP_SNAP, 0, 0 },
};

/*
 * Whether what a step does to a range begins and ends within the slot. A clear log may go on to
 * the end of the last 64 pages, which the log has bits for: KVM then says EINVAL.
 */
static bool step_in_slot(const struct map_step *step, const struct kvm_host *host,
			 uint64_t slot_bytes)
{
	const uint64_t word_bytes = UINT64_C(64) << host->page;
	uint64_t bytes = step->stride;

	switch (step->kind) {
	case MAP_STEP_CLEAR_LOG:
		slot_bytes = (slot_bytes + word_bytes - 1) / word_bytes * word_bytes;
		break;
	case MAP_STEP_COLLAPSE:
		bytes = 1;
		break;
	case MAP_STEP_DISCARD:
		break;
	default:
		return true;
	}
	return step->offset <= slot_bytes && bytes <= slot_bytes - step->offset;
}

/* The step's row of the table, or NULL. */
static const struct step_name *find_step(const char *name, size_t bytes)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strlen(steps[i].name) == bytes && strncmp(steps[i].name, name, bytes) == 0)
			return &steps[i];
	}
	return NULL;
}

enum exit_status map_next_step(const struct map_reader *reader, const struct kvm_host *host,
			       uint64_t slot_bytes, const char **script, struct map_step *step,
			       struct diag *diag)
{
	const char *at = *script + strspn(*script, ";");
	const size_t length = strcspn(at, ";"), word = strcspn(at, ":;");
	const int shown = (int)(length < 40 ? length : 40);
	const struct step_name *name = find_step(at, word);
	const char *p = at + word;
	uint64_t n[3] = { 0 };
	bool ok = true;

	*step = (struct map_step){ .kind = MAP_STEP_END };
	if (length == 0)
		return STATUS_OK;
	if (!name)
		return line_bad(
			&reader->line, diag,
			"script step '%.*s'; expected r, w, x, logon, logoff, getlog, clrlog, "
			"discard, collapse or snap",
			shown, at);
	*script = at + length;
	for (unsigned k = 0; k < name->numbers && ok; k++)
		ok = *p == ':' && number(p + 1, &p, &n[k]);
	*step = (struct map_step){ name->kind, name->access, n[0], n[1], n[2] };
	if (!ok || p != *script)
		return line_bad(&reader->line, diag,
				"script step '%.*s'; expected %s with %u numbers after it", shown,
				at, name->name, name->numbers);
	if (step->count > MAX_STEP_COUNT || step->offset >> 56 || step->stride >> 56 ||
	    (step->count && step->stride > (UINT64_C(1) << 56) / step->count))
		return line_bad(&reader->line, diag,
				"script step '%.*s': too large; expected at most 16777216 accesses "
				"within 2^56 bytes",
				shown, at);
	if (!step_in_slot(step, host, slot_bytes))
		return line_bad(&reader->line, diag,
				"script step '%.*s': outside the slot; expected a range within its "
				"0x%" PRIx64 " bytes",
				shown, at, slot_bytes);
	return STATUS_OK;
}
