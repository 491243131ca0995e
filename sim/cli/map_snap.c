/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/map_snap.h"

#include <inttypes.h>

static const char *const s2ap_names[] = { "NONE", "RO", "WO", "RW" };

static void print_size(FILE *out, enum granule page, int level)
{
	const unsigned size_bits = level_shift(page, level);

	fprintf(out, "%" PRIu64 "%c", UINT64_C(1) << size_bits % 10, "BKMGTP"[size_bits / 10]);
}

static void line_leaves(FILE *out, const struct map_snap *snap)
{
	const char *between = "";

	fputs(" leaves_by_size=", out);
	for (int level = 0; level < KVM_LEVELS; level++) {
		if (snap->tables.leaves[level] == 0)
			continue;
		fputs(between, out);
		print_size(out, snap->page, level);
		fprintf(out, ":%" PRIu64, snap->tables.leaves[level]);
		between = ",";
	}
	fputs(snap->tables.kinds ? " leaf_attrs=" : "none leaf_attrs=-", out);
	for (unsigned i = 0; i < snap->tables.kinds; i++) {
		const struct kvm_leaf_kind *kind = &snap->tables.kind[i];

		fputs(i ? "_|_" : "", out);
		print_size(out, snap->page, kind->level);
		fprintf(out, "_%s_XN=%u_AF=%u_MA=%x", s2ap_names[kind->s2ap], kind->xn, kind->af,
			kind->memattr);
		if (kind->sh)
			fprintf(out, "_SH=%u", kind->sh);
		fprintf(out, "_x%" PRIu64, kind->count);
	}
}

void map_snap_line(FILE *out, const struct map_snap *snap)
{
	fprintf(out, "snap %u ", snap->number);
	if (snap->call) {
		fprintf(out,
			"error=%s:%s start_level=- root_tables=- slot_tables_L1=- "
			"slot_tables_L2=- slot_tables_L3=- leaves_by_size=- leaf_attrs=- faults=-",
			snap->call, snap->error);
		return;
	}
	fprintf(out, "error=- start_level=%d root_tables=%u", snap->start_level, snap->root_tables);
	for (int level = 1; level < KVM_LEVELS; level++)
		fprintf(out, " slot_tables_L%d=%" PRIu64, level, snap->tables.tables[level]);
	line_leaves(out, snap);
	fprintf(out, " faults=%" PRIu64, snap->faults);
}

static void json_leaf(FILE *out, enum granule page, const struct kvm_leaf_kind *kind)
{
	fputs("{\"size\":\"", out);
	print_size(out, page, kind->level);
	fprintf(out,
		"\",\"s2ap\":\"%s\",\"xn\":%u,\"af\":%u,\"memattr\":%u,\"sh\":%u,\"count\":%" PRIu64
		"}",
		s2ap_names[kind->s2ap], kind->xn, kind->af, kind->memattr, kind->sh, kind->count);
}

void map_snap_json(FILE *out, const struct map_snap *snap)
{
	fprintf(out, "{\"snap\":%u,", snap->number);
	if (snap->call) {
		fprintf(out, "\"error\":\"%s:%s\"}", snap->call, snap->error);
		return;
	}
	fprintf(out, "\"error\":null,\"start_level\":%d,\"root_tables\":%u,\"slot_tables\":{",
		snap->start_level, snap->root_tables);
	for (int level = 1; level < KVM_LEVELS; level++)
		fprintf(out, "%s\"L%d\":%" PRIu64, level > 1 ? "," : "", level,
			snap->tables.tables[level]);
	fputs("},\"leaves\":[", out);
	for (unsigned i = 0; i < snap->tables.kinds; i++) {
		fputs(i ? "," : "", out);
		json_leaf(out, snap->page, &snap->tables.kind[i]);
	}
	fprintf(out, "],\"faults\":%" PRIu64 "}", snap->faults);
}
