/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a whole result database: scan, check. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/params.h"
#include "results/db.h"
#include "results/db_private.h"

/* Sums that must be equal on every point (stats.def); each ends with STAT_COUNT. */
static const struct {
	const char *text;
	enum stat_id left[3], right[10];
} identities[] = {
#define END STAT_COUNT
#define READS_OF(level)                                                                            \
	{                                                                                          \
		"walk_reads_" #level " = sum over where they were found",                          \
			{ STAT_walk_reads_##level, END },                                          \
		{                                                                                  \
			STAT_reads_##level##_l1d, STAT_reads_##level##_l2,                         \
				STAT_reads_##level##_llc, STAT_reads_##level##_dram, END           \
		}                                                                                  \
	}
#define LEAVES(name)                                                                               \
	{                                                                                          \
#name " = sum over sizes of leaves", { STAT_##name, END },                         \
		{                                                                                  \
			STAT_##name##_page_page, STAT_##name##_page_pmd, STAT_##name##_page_pud,   \
				STAT_##name##_pmd_page, STAT_##name##_pmd_pmd,                     \
				STAT_##name##_pmd_pud, STAT_##name##_pud_page,                     \
				STAT_##name##_pud_pmd, STAT_##name##_pud_pud, END                  \
		}                                                                                  \
	}
	{ "accesses = fetches + loads + stores",
	  { STAT_accesses, END },
	  { STAT_fetches, STAT_loads, STAT_stores, END } },
	{ "l1i_tlb_hits + l1i_tlb_misses = fetches",
	  { STAT_l1i_tlb_hits, STAT_l1i_tlb_misses, END },
	  { STAT_fetches, END } },
	{ "l1d_tlb_hits + l1d_tlb_misses = loads + stores + page_splits",
	  { STAT_l1d_tlb_hits, STAT_l1d_tlb_misses, END },
	  { STAT_loads, STAT_stores, STAT_page_splits, END } },
	{ "l2_tlb_hits + l2_tlb_misses = l1i_tlb_misses + l1d_tlb_misses",
	  { STAT_l2_tlb_hits, STAT_l2_tlb_misses, END },
	  { STAT_l1i_tlb_misses, STAT_l1d_tlb_misses, END } },
	{ "walks + mmio_exits = l2_tlb_misses + dirty_rewalks",
	  { STAT_walks, STAT_mmio_exits, END },
	  { STAT_l2_tlb_misses, STAT_dirty_rewalks, END } },
	{ "walk_reads = walk_reads_s1 + walk_reads_s2",
	  { STAT_walk_reads, END },
	  { STAT_walk_reads_s1, STAT_walk_reads_s2, END } },
	{ "walk_reads_s1 = sum over its levels",
	  { STAT_walk_reads_s1, END },
	  { STAT_walk_reads_s1_lm1, STAT_walk_reads_s1_l0, STAT_walk_reads_s1_l1,
	    STAT_walk_reads_s1_l2, STAT_walk_reads_s1_l3, END } },
	{ "walk_reads_s2 = sum over its levels",
	  { STAT_walk_reads_s2, END },
	  { STAT_walk_reads_s2_lm1, STAT_walk_reads_s2_l0, STAT_walk_reads_s2_l1,
	    STAT_walk_reads_s2_l2, STAT_walk_reads_s2_l3, END } },
	{ "walk_reads = sum over where they were found",
	  { STAT_walk_reads, END },
	  { STAT_walk_reads_l1d, STAT_walk_reads_l2, STAT_walk_reads_llc, STAT_walk_reads_dram,
	    END } },
	READS_OF(s1_lm1),
	READS_OF(s1_l0),
	READS_OF(s1_l1),
	READS_OF(s1_l2),
	READS_OF(s1_l3),
	READS_OF(s2_lm1),
	READS_OF(s2_l0),
	READS_OF(s2_l1),
	READS_OF(s2_l2),
	READS_OF(s2_l3),
	LEAVES(walks),
	LEAVES(walk_cycles),
	{ "software_cycles = sum over what they were spent on",
	  { STAT_software_cycles, END },
	  { STAT_guest_fault_cycles, STAT_exit_cycles, STAT_fault_cycles, STAT_zero_cycles,
	    STAT_table_cycles, STAT_split_cycles, STAT_tlbi_cycles, STAT_switch_cycles,
	    STAT_mmio_cycles, END } },
	{ "guest_lines = sum over where they were found",
	  { STAT_guest_lines, END },
	  { STAT_guest_lines_l1d, STAT_guest_lines_l2, STAT_guest_lines_llc, STAT_guest_lines_dram,
	    END } },
	{ "walk_cache_s1_hits + walk_cache_s1_misses = walks",
	  { STAT_walk_cache_s1_hits, STAT_walk_cache_s1_misses, END },
	  { STAT_walks, END } },
	{ "smmu_tlb_hits + smmu_tlb_misses = smmu_accesses",
	  { STAT_smmu_tlb_hits, STAT_smmu_tlb_misses, END },
	  { STAT_smmu_accesses, END } },
#undef LEAVES
#undef READS_OF
#undef END
};

static uint64_t sum(const struct stats *stats, const enum stat_id *ids)
{
	uint64_t total = 0;

	for (; *ids != STAT_COUNT; ids++)
		total += stats->v[*ids];
	return total;
}

enum exit_status db_check_stats(const struct stats *stats, struct diag *diag)
{
	for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
		uint64_t left = sum(stats, identities[i].left);
		uint64_t right = sum(stats, identities[i].right);

		if (left != right)
			return diag_set(diag, STATUS_BAD_INPUT,
					"%s does not hold: %" PRIu64 " and %" PRIu64,
					identities[i].text, left, right);
	}
	return STATUS_OK;
}

static const char *column_text(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text ? text : "";
}

/* Fill *point from a row of all columns; text points into the row. */
static enum exit_status read_point(const char *path, sqlite3_stmt *row, struct db_point *point,
				   struct diag *diag)
{
	int column = DB_COLUMN_PARAMS;
	enum exit_status status;

	memset(point, 0, sizeof(*point));
	if (snprintf(point->key, sizeof(point->key), "%s", column_text(row, DB_COLUMN_KEY)) !=
	    sizeof(point->key) - 1)
		return diag_set(diag, STATUS_BAD_INPUT, "%s: '%.64s' is no key of a point", path,
				column_text(row, DB_COLUMN_KEY));
	point->model = column_text(row, DB_COLUMN_MODEL);
	point->engine = column_text(row, DB_COLUMN_ENGINE);
	point->trace.name = column_text(row, DB_COLUMN_TRACE);
	point->trace.digest = strtoull(column_text(row, DB_COLUMN_TRACE_DIGEST), NULL, 16);
	point->trace.accesses = (uint64_t)sqlite3_column_int64(row, DB_COLUMN_TRACE_ACCESSES);
	point->status = strcmp(column_text(row, DB_COLUMN_STATUS), "ok") == 0 ? DB_POINT_OK
									      : DB_POINT_IMPOSSIBLE;
	if (point->status == DB_POINT_IMPOSSIBLE)
		point->reason = column_text(row, DB_COLUMN_REASON);
	for (size_t i = 0; i < PARAM_COUNT; i++, column++) {
		status = params_set_row(&point->config, &params[i], column_text(row, column), diag);
		if (status != STATUS_OK) {
			diag_place(diag, "%s: point %s", path, point->key);
			return status;
		}
	}
	for (size_t i = 0; i < STAT_COUNT; i++, column++)
		point->stats.v[i] = (uint64_t)sqlite3_column_int64(row, column);
	return STATUS_OK;
}

static enum exit_status prepare_scan(struct db *db, sqlite3_stmt **query, struct diag *diag)
{
	struct db_text text;

	db_text_open(&text);
	if (text.stream) {
		fputs("SELECT * FROM point ORDER BY \"model\", \"trace\", \"trace_digest\"",
		      text.stream);
		for (size_t i = 0; i < PARAM_COUNT; i++)
			fprintf(text.stream, ", \"%s\"", params[i].key);
		fputs(", \"engine\", \"key\"", text.stream);
	}
	return db_text_prepare(db, &text, query, diag);
}

enum exit_status db_get(struct db *db, const char key[DB_KEY_TEXT],
			enum exit_status (*visit)(void *ctx, const struct db_point *point,
						  struct diag *diag),
			void *ctx, struct diag *diag)
{
	struct db_point point;
	sqlite3_stmt *query;
	enum exit_status status =
		db_prepare(db, "SELECT * FROM point WHERE \"key\" = ?1", &query, diag);
	int step;

	if (status != STATUS_OK)
		return status;
	sqlite3_bind_text(query, 1, key, -1, SQLITE_STATIC);
	step = sqlite3_step(query);
	if (step == SQLITE_ROW)
		status = read_point(db->path, query, &point, diag);
	else if (step != SQLITE_DONE)
		status = db_failure(db, diag);
	if (status == STATUS_OK && step == SQLITE_ROW)
		status = visit(ctx, &point, diag);
	sqlite3_finalize(query);
	return status;
}

enum exit_status db_scan(struct db *db,
			 enum exit_status (*visit)(void *ctx, const struct db_point *point,
						   struct diag *diag),
			 void *ctx, struct diag *diag)
{
	enum exit_status status;
	struct db_point point;
	sqlite3_stmt *query;
	int step = SQLITE_DONE;

	status = prepare_scan(db, &query, diag);
	while (status == STATUS_OK && (step = sqlite3_step(query)) == SQLITE_ROW) {
		status = read_point(db->path, query, &point, diag);
		if (status == STATUS_OK)
			status = visit(ctx, &point, diag);
	}
	return db_finish(db, query, step, status, diag);
}

struct check {
	const char *path;
	struct params_text *text;
	uint64_t *n_points;
};

static enum exit_status check_point(void *ctx, const struct db_point *point, struct diag *diag)
{
	const struct check *check = ctx;
	enum exit_status status = STATUS_OK;
	char key[DB_KEY_TEXT];

	db_key_of(check->text, &point->config, point->trace.digest, point->engine, key);
	++*check->n_points;
	if (strcmp(key, point->key) != 0)
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "the key does not fit its row, whose parameters give %s", key);
	if (status == STATUS_OK && point->status == DB_POINT_OK)
		status = db_check_stats(&point->stats, diag);
	diag_place(diag, "%s: point %s", check->path, point->key);
	return status;
}

static enum exit_status check_integrity(struct db *db, struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status = db_prepare(db, "PRAGMA integrity_check(1)", &query, diag);

	if (status != STATUS_OK)
		return status;
	if (sqlite3_step(query) != SQLITE_ROW)
		status = db_failure(db, diag);
	else if (strcmp(column_text(query, 0), "ok") != 0)
		status = diag_set(diag, STATUS_BAD_INPUT, "%s: damaged: %s", db->path,
				  column_text(query, 0));
	sqlite3_finalize(query);
	return status;
}

enum exit_status db_check(struct db *db, uint64_t *n_points, struct diag *diag)
{
	struct check check = { db->path, params_text_create(), n_points };
	enum exit_status status = check_integrity(db, diag);

	*n_points = 0;
	if (status == STATUS_OK && !check.text)
		status = diag_set(diag, STATUS_INTERNAL, "out of memory");
	if (status == STATUS_OK)
		status = db_scan(db, check_point, &check, diag);
	params_text_free(check.text);
	if (status == STATUS_OK)
		status = db_intervals_check(db, diag);
	if (status == STATUS_OK)
		status = db_estimates_check(db, diag);
	if (status != STATUS_OK || db->version < DB_SCHEMA_VERSION)
		return status;
	status = db_digest_check(db, diag);
	return status ? status : db_sweeps_check(db, diag);
}
