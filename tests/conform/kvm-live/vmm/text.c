/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines from and to the console. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "vmm.h"

static void say_list(const char *what, const char *format, va_list list)
{
	char line[512];
	int length = snprintf(line, sizeof(line), "@%s", what);

	length += vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, list);
	line[length++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		reboot(RB_POWER_OFF);
}

void say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say_list("", format, list);
	va_end(list);
}

_Noreturn void fail(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say_list("fail ", format, list);
	va_end(list);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

const char *errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "?";
}

void read_line(char *line, size_t bytes)
{
	size_t length = 0;

	while (length < bytes && read(STDIN_FILENO, line + length, 1) == 1) {
		if (line[length] == '\n') {
			line[length] = 0;
			return;
		}
		length++;
	}
	fail("no line from the console");
}

/* A number with K, M, G or T behind it; *text moves behind that. */
uint64_t parse_number(const char **text)
{
	static const char units[] = "KMGT";
	char *end;
	uint64_t value = strtoull(*text, &end, 0);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (end == *text)
		fail("no number at '%s'", *text);
	if (unit) {
		value <<= 10 * (unit - units + 1);
		end++;
	}
	*text = end;
	return value;
}

static void parse_backing(const char *text, struct setup *setup)
{
	if (strcmp(text, "anon") == 0) {
		setup->backing = BACKING_ANON;
	} else if (strcmp(text, "thp") == 0) {
		setup->backing = BACKING_THP;
	} else if (strncmp(text, "htlb", 4) == 0) {
		setup->backing = BACKING_HUGETLB;
		setup->hugetlb_bits = (unsigned)atoi(text + 4);
	} else {
		fail("backing '%s'", text);
	}
}

void parse_setup(char *line, struct setup *setup)
{
	char *place;

	*setup = (struct setup){ 0 };
	for (char *key = strtok_r(line, " ", &place); key; key = strtok_r(NULL, " ", &place)) {
		char *const equals = strchr(key, '=');
		const char *value = equals ? equals + 1 : "";

		if (!equals)
			fail("'%s' has no '='", key);
		*equals = 0;
		if (strcmp(key, "name") == 0)
			continue;
		if (strcmp(key, "script") == 0)
			setup->script = equals + 1;
		else if (strcmp(key, "backing") == 0)
			parse_backing(value, setup);
		else if (strcmp(key, "ipa") == 0)
			setup->ipa_bits = (unsigned)parse_number(&value);
		else if (strcmp(key, "base") == 0)
			setup->base = parse_number(&value);
		else if (strcmp(key, "size") == 0)
			setup->bytes = parse_number(&value);
		else if (strcmp(key, "hskew") == 0)
			setup->skew = parse_number(&value);
		else if (strcmp(key, "flags") == 0)
			setup->flags = (unsigned)parse_number(&value);
		else if (strcmp(key, "manual") == 0)
			setup->manual = (unsigned)parse_number(&value);
		else if (strcmp(key, "chunk") == 0)
			setup->chunk_bytes = parse_number(&value);
		else
			fail("unknown key '%s'", key);
	}
	if (!setup->script || !setup->bytes)
		fail("no script or no size");
}
