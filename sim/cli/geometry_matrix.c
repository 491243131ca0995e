/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/geometry_matrix.h"

#include <stdio.h>

/* The hosts of the support matrix in the "Dynamic IPA and 52bit IPA" series. */
static const struct {
	enum granule granule;
	unsigned va_bits;
} hosts[] = {
	{ GRANULE_4K, 39 },  { GRANULE_4K, 48 },  { GRANULE_16K, 36 },
	{ GRANULE_16K, 47 }, { GRANULE_64K, 42 }, { GRANULE_64K, 48 },
};

#define HOSTS (sizeof(hosts) / sizeof(hosts[0]))

const char *geometry_granule_name(enum granule granule)
{
	return granule == GRANULE_4K ? "4K" : granule == GRANULE_16K ? "16K" : "64K";
}

const char *geometry_support_name(enum geometry_support support)
{
	const char *const names[] = { "n/a", "n", "y" };

	return names[support];
}

static bool has_granule(const struct geometry_options *options, enum granule granule)
{
	for (unsigned i = 0; i < options->granules_count; i++) {
		if (options->granules[i] == granule)
			return true;
	}
	return false;
}

static void print_matrix_head(const struct geometry_options *options)
{
	if (options->format == FORMAT_JSON) {
		fputs("{\"schema\":1,\"params\":{},\"rows\":[", stdout);
		return;
	}
	fputs(options->format == FORMAT_CSV ? "host_va_bits,granule" : "host VA/granule | IPA",
	      stdout);
	for (unsigned i = 0; i < options->sizes_count; i++) {
		if (options->format == FORMAT_CSV)
			printf(",ipa_%u", options->sizes[i]);
		else
			printf("%s %u", i ? " |" : "", options->sizes[i]);
	}
	putchar('\n');
}

static void print_matrix_row(const struct geometry_options *options, unsigned host,
			     const char *comma)
{
	const char *granule = geometry_granule_name(hosts[host].granule);
	unsigned va_bits = hosts[host].va_bits;

	if (options->format == FORMAT_JSON)
		printf("%s\n{\"host_va_bits\":%u,\"granule\":%u", comma, va_bits,
		       1U << hosts[host].granule);
	else if (options->format == FORMAT_CSV)
		printf("%u,%s", va_bits, granule);
	else
		printf("%u-bit %-8s | ", va_bits, granule);
	for (unsigned i = 0; i < options->sizes_count; i++) {
		const char *text = geometry_support_name(
			geometry_host_support(hosts[host].granule, va_bits, options->sizes[i]));

		if (options->format == FORMAT_JSON)
			printf(",\"ipa_%u\":\"%s\"", options->sizes[i], text);
		else if (options->format == FORMAT_CSV)
			printf(",%s", text);
		else
			printf("%s %s", i ? " |" : "", text);
	}
	fputs(options->format == FORMAT_JSON ? "}" : "\n", stdout);
}

void geometry_print_matrix(const struct geometry_options *options)
{
	unsigned rows = 0;

	print_matrix_head(options);
	for (unsigned i = 0; i < HOSTS; i++) {
		if (has_granule(options, hosts[i].granule))
			print_matrix_row(options, i, rows++ ? "," : "");
	}
	if (options->format == FORMAT_JSON)
		printf("],\"stats\":{\"rows\":%u}}\n", rows);
}
