/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/param_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "mem/latency.h"
#include "mmu/repl.h"
#include "os/guest.h"
#include "os/host.h"

/* Sizes that an entry, a page or a block can have: 4 KiB to 4 TiB (64K granule with LPA2, level 1).
 */
enum { SIZE_BITS_MIN = 12, SIZE_BITS_MAX = 42 };

static const char suffixes[] = "KMGT";

const char *params_plugin(const char *room, size_t index, const char **help)
{
#define ROOM(name_)                                                                                \
	if (strcmp(room, #name_) == 0) {                                                           \
		if (help && name_##_registry[index])                                               \
			*help = name_##_registry[index]->help;                                     \
		return name_##_registry[index] ? name_##_registry[index]->name : NULL;             \
	}
	ROOM(repl)
	ROOM(guest)
	ROOM(host)
	ROOM(latency)
#undef ROOM
	return param_choice(room, index, help);
}

/* Decimal or 0x hexadecimal digits, all of `text` up to `end`. */
static bool parse_number(const char *text, const char *end, uint64_t *number)
{
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	char *stop;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*number = strtoull(text, &stop, base);
	return errno == 0 && stop == end;
}

/* A number with an optional suffix K, M, G or T, also written KiB or KB: powers of 1024. */
static bool parse_bytes(const char *text, size_t length, uint64_t *n_bytes)
{
	size_t digits = strspn(text, "0123456789");
	const char *suffix = text + digits, *found;
	unsigned shift;

	if (digits == length || strncasecmp(text, "0x", 2) == 0)
		return parse_number(text, text + length, n_bytes);
	found = strchr(suffixes, toupper((unsigned char)*suffix));
	if (digits > length || !found || !parse_number(text, suffix, n_bytes))
		return false;
	length -= digits + 1;
	if (!(length == 0 || (length == 1 && suffix[1] == 'B') ||
	      (length == 2 && suffix[1] == 'i' && suffix[2] == 'B')))
		return false;
	shift = 10 * (unsigned)(found - suffixes + 1);
	if (*n_bytes > UINT64_MAX >> shift)
		return false;
	*n_bytes <<= shift;
	return true;
}

/* A power of two from 4K to 4T, as its log2. */
static bool parse_size(const char *text, size_t length, uint64_t *size_bits)
{
	uint64_t n_bytes;

	if (!parse_bytes(text, length, &n_bytes) || n_bytes == 0 || n_bytes & (n_bytes - 1))
		return false;
	*size_bits = (uint64_t)__builtin_ctzll(n_bytes);
	return *size_bits >= SIZE_BITS_MIN && *size_bits <= SIZE_BITS_MAX;
}

/* One item of a list at *text as a bit of *mask; *text moves behind it. */
typedef bool parse_item(const char **text, uint64_t *mask);

/* Items with commas between and spaces around, in brackets or not, in any order. */
static bool parse_list(const char *text, parse_item *item, uint64_t *mask)
{
	const bool bracket = *text == '[';

	*mask = 0;
	text += bracket;
	for (;;) {
		text += strspn(text, " ");
		if (!item(&text, mask))
			return false;
		text += strspn(text, " ");
		if (*text != ',')
			break;
		text++;
	}
	if (bracket && *text++ != ']')
		return false;
	return *text == '\0';
}

static bool size_item(const char **text, uint64_t *mask)
{
	const size_t length = strcspn(*text, " ,]");
	uint64_t size_bits;

	if (!parse_size(*text, length, &size_bits))
		return false;
	*mask |= UINT64_C(1) << size_bits;
	*text += length;
	return true;
}

/* "[4K, 2M]" or "4K,2M", as a mask of log2. */
static bool parse_sizes(const char *text, uint64_t *mask)
{
	return parse_list(text, size_item, mask);
}

static bool level_item(const char **text, uint64_t *mask)
{
	const bool minus = **text == '-';

	*text += minus;
	if (minus ? **text != '1' : **text < '0' || **text > '3')
		return false;
	*mask |= UINT64_C(1) << (minus ? 0 : **text - '0' + 1);
	(*text)++;
	return true;
}

/* "[0, 3]" or "0,3", each -1 to 3, as a mask of level + 1; "none". */
static bool parse_levels(const char *text, uint64_t *mask)
{
	if (strcmp(text, "none") != 0)
		return parse_list(text, level_item, mask);
	*mask = 0;
	return true;
}

static bool parse_page(const char *text, uint64_t *page)
{
	static const char *const names[] = { "base", "pmd", "pud" };

	for (uint64_t i = 0; i < 3; i++) {
		if (strcmp(text, names[i]) == 0) {
			*page = i;
			return true;
		}
	}
	return parse_size(text, strlen(text), page);
}

static bool parse_level(const char *text, uint64_t *level)
{
	if (strcmp(text, "auto") == 0)
		*level = LEVEL_AUTO;
	else if (strcmp(text, "plain") == 0)
		*level = LEVEL_PLAIN_TABLES;
	else if (strcmp(text, "-1") == 0)
		*level = 1;
	else if (text[0] >= '0' && text[0] <= '3' && text[1] == '\0')
		*level = (uint64_t)(text[0] - '0') + 2;
	else
		return false;
	return true;
}

static bool parse_plugin(const struct param *param, const char *text, const char **name)
{
	for (size_t i = 0; (*name = params_plugin(param->room, i, NULL)) != NULL; i++) {
		if (strcmp(*name, text) == 0)
			return true;
	}
	return false;
}

static bool parse_value(const struct param *param, const char *text, union param_value *value)
{
	const char *end = text + strlen(text);

	switch (param->type) {
	case PARAM_INT:
	case PARAM_HEX:
		return parse_number(text, end, &value->number);
	case PARAM_BYTES:
		return parse_bytes(text, strlen(text), &value->number);
	case PARAM_COUNT0:
		if (strcmp(text, param->zero_name) == 0) {
			value->number = 0;
			return true;
		}
		return parse_number(text, end, &value->number);
	case PARAM_SIZES:
		return parse_sizes(text, &value->number);
	case PARAM_LEVELS:
		return parse_levels(text, &value->number);
	case PARAM_PAGE:
		return parse_page(text, &value->number);
	case PARAM_LEVEL:
		return parse_level(text, &value->number);
	case PARAM_GRANULE:
		return parse_size(text, strlen(text), &value->number) &&
		       (value->number == 12 || value->number == 14 || value->number == 16);
	case PARAM_IMAGE:
		value->file = strcmp(text, "none") ? image_file_of(text) : NULL;
		return value->file || strcmp(text, "none") == 0;
	case PARAM_PLUGIN:
		return parse_plugin(param, text, &value->name);
	}
	return false;
}

static void list_plugins(const struct param *param, char text[PARAM_TEXT_MAX])
{
	const char *name;
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; (name = params_plugin(param->room, i, NULL)) != NULL; i++) {
		int n = snprintf(text + used, PARAM_TEXT_MAX - used, "%s%s", i ? ", " : "", name);

		if (n < 0 || used + (size_t)n >= PARAM_TEXT_MAX)
			break;
		used += (size_t)n;
	}
}

void params_expectation(const struct param *param, char text[PARAM_TEXT_MAX])
{
	switch (param->type) {
	case PARAM_INT:
	case PARAM_HEX:
		snprintf(text, PARAM_TEXT_MAX, "a whole number");
		break;
	case PARAM_BYTES:
		snprintf(text, PARAM_TEXT_MAX, "bytes, such as 4096, 64K, 1M or 16G");
		break;
	case PARAM_COUNT0:
		snprintf(text, PARAM_TEXT_MAX, "a whole number or '%s'", param->zero_name);
		break;
	case PARAM_SIZES:
		snprintf(text, PARAM_TEXT_MAX, "page sizes from 4K to 4T, such as [4K, 2M]");
		break;
	case PARAM_LEVELS:
		snprintf(text, PARAM_TEXT_MAX, "levels from -1 to 3, such as [1, 2, 3], or none");
		break;
	case PARAM_PAGE:
		snprintf(text, PARAM_TEXT_MAX, "base, pmd, pud or a page size such as 4K, 2M, 1G");
		break;
	case PARAM_LEVEL:
		snprintf(text, PARAM_TEXT_MAX, "auto, plain or a level from -1 to 3");
		break;
	case PARAM_GRANULE:
		snprintf(text, PARAM_TEXT_MAX, "4K, 16K or 64K");
		break;
	case PARAM_IMAGE:
		snprintf(text, PARAM_TEXT_MAX,
			 "the path of a memory image (at most %d bytes) or none",
			 IMAGE_FILE_PATH_MAX);
		break;
	case PARAM_PLUGIN:
		list_plugins(param, text);
		break;
	}
}

/* The word that was probably meant, for the types whose values are words; NULL: none. */
static const char *nearest_word(const struct param *param, const char *text)
{
	struct suggest search;
	const char *name;

	suggest_init(&search, text);
	if (param->type == PARAM_PLUGIN) {
		for (size_t i = 0; (name = params_plugin(param->room, i, NULL)) != NULL; i++)
			suggest_offer(&search, name);
	} else if (param->type == PARAM_COUNT0) {
		suggest_offer(&search, param->zero_name);
	} else if (param->type == PARAM_LEVEL) {
		suggest_offer(&search, "auto");
		suggest_offer(&search, "plain");
	} else if (param->type == PARAM_PAGE) {
		suggest_offer(&search, "base");
		suggest_offer(&search, "pmd");
		suggest_offer(&search, "pud");
	}
	return search.best;
}

static enum exit_status refuse(const struct param *param, const char *text, struct diag *diag)
{
	const char *word = isdigit((unsigned char)text[0]) ? NULL : nearest_word(param, text);
	char expected[PARAM_TEXT_MAX];

	params_expectation(param, expected);
	if (word)
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s: '%.80s' is not %s%s; did you mean '%s'?", param->key, text,
				param->type == PARAM_PLUGIN ? "one of " : "", expected, word);
	return diag_set(diag, STATUS_BAD_INPUT, "%s: '%.80s' is not %s%s", param->key, text,
			param->type == PARAM_PLUGIN ? "one of " : "", expected);
}

static bool has_range(const struct param *param)
{
	return param->type == PARAM_INT || param->type == PARAM_HEX || param->type == PARAM_BYTES ||
	       param->type == PARAM_COUNT0;
}

enum exit_status param_text_parse(const struct param *param, const char *text,
				  union param_value *value, struct diag *diag)
{
	if (!parse_value(param, text, value))
		return refuse(param, text, diag);
	if (has_range(param) && (value->number < param->min || value->number > param->max))
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s: %.80s is out of range; expected %" PRIu64 " to %" PRIu64
				"%s%s",
				param->key, text, param->min, param->max, *param->unit ? " " : "",
				param->unit);
	return STATUS_OK;
}

/* The largest suffix that divides exactly: 1536K, 1M, 0. */
static void format_bytes(uint64_t n_bytes, char text[PARAM_TEXT_MAX])
{
	unsigned power = 0;

	while (n_bytes && power < 4 && n_bytes % 1024 == 0) {
		n_bytes /= 1024;
		power++;
	}
	if (power)
		snprintf(text, PARAM_TEXT_MAX, "%" PRIu64 "%c", n_bytes, suffixes[power - 1]);
	else
		snprintf(text, PARAM_TEXT_MAX, "%" PRIu64, n_bytes);
}

static void format_sizes(uint64_t mask, char text[PARAM_TEXT_MAX])
{
	char size[PARAM_TEXT_MAX];
	size_t used = 1;

	strcpy(text, "[");
	for (unsigned size_bits = 0; size_bits < 64; size_bits++) {
		if (!(mask >> size_bits & 1))
			continue;
		format_bytes(UINT64_C(1) << size_bits, size);
		used += (size_t)snprintf(text + used, PARAM_TEXT_MAX - used, "%s%.8s",
					 used > 1 ? ", " : "", size);
	}
	snprintf(text + used, PARAM_TEXT_MAX - used, "]");
}

static void format_levels(uint64_t mask, char text[PARAM_TEXT_MAX])
{
	size_t used = 0;

	for (int level = -1; level <= 3; level++)
		if (mask >> (level + 1) & 1)
			used += (size_t)snprintf(text + used, PARAM_TEXT_MAX - used, "%s%d",
						 used ? ", " : "[", level);
	snprintf(text + used, PARAM_TEXT_MAX - used, used ? "]" : "none");
}

static void format_page(uint64_t page, char text[PARAM_TEXT_MAX])
{
	static const char *const names[] = { "base", "pmd", "pud" };

	if (page < 3)
		strcpy(text, names[page]);
	else
		format_bytes(UINT64_C(1) << page, text);
}

void param_text_format(const struct param *param, union param_value value,
		       char text[PARAM_TEXT_MAX])
{
	uint64_t number = value.number;

	switch (param->type) {
	case PARAM_COUNT0:
		if (number == 0) {
			snprintf(text, PARAM_TEXT_MAX, "%s", param->zero_name);
			return;
		}
		/* fall through */
	case PARAM_INT:
		snprintf(text, PARAM_TEXT_MAX, "%" PRIu64, number);
		return;
	case PARAM_HEX:
		snprintf(text, PARAM_TEXT_MAX, "0x%" PRIx64, number);
		return;
	case PARAM_BYTES:
		format_bytes(number, text);
		return;
	case PARAM_SIZES:
		format_sizes(number, text);
		return;
	case PARAM_LEVELS:
		format_levels(number, text);
		return;
	case PARAM_PAGE:
		format_page(number, text);
		return;
	case PARAM_LEVEL:
		if (number == LEVEL_AUTO || number == LEVEL_PLAIN_TABLES)
			strcpy(text, number == LEVEL_AUTO ? "auto" : "plain");
		else
			snprintf(text, PARAM_TEXT_MAX, "%d", (int)number - 2);
		return;
	case PARAM_GRANULE:
		format_bytes(UINT64_C(1) << number, text);
		return;
	case PARAM_IMAGE:
		if (value.file)
			image_file_format(value.file, text, PARAM_TEXT_MAX);
		else
			strcpy(text, "none");
		return;
	case PARAM_PLUGIN:
		snprintf(text, PARAM_TEXT_MAX, "%s", value.name);
		return;
	}
}
