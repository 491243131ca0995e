/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/sweep/slices.h"

#include <stdlib.h>

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

enum exit_status sweep_find_slices(struct slices *slices, const struct plan *plan,
				   const char *database, struct diag *diag)
{
	unsigned n;
	enum exit_status status = slices_find(plan, database, &n, diag);

	*slices = (struct slices){ 0 };
	if (status != STATUS_OK)
		return status;
	if (n == 0)
		return diag_set(diag, STATUS_NO_INPUT,
				"%s.slices: no slices of this sweep; run --slice or --slurm first",
				database);
	return slices_cut(slices, plan, n, database, diag);
}

static enum exit_status open_shard(struct sweep_place *place, const struct sweep_args *arguments,
				   const struct plan *plan, const char *database, struct diag *diag)
{
	enum exit_status status =
		slices_cut(&place->slices, plan, arguments->n_slices, database, diag);
	char *path;

	place->slice = arguments->slice;
	if (status == STATUS_OK)
		status = slices_claim(&place->slices, diag);
	if (status == STATUS_OK)
		status = db_open_existing(database, &place->base, diag);
	if (status != STATUS_OK)
		return status;
	path = slices_shard(&place->slices, place->slice);
	if (!path)
		return no_memory(diag);
	place->db = db_open(path, DB_WRITE_SHARED, diag);
	free(path);
	return place->db ? slices_check_engine(place->db, diag) : diag->status;
}

enum exit_status sweep_place_open(struct sweep_place *place, const struct sweep_args *arguments,
				  const struct plan *plan, const char *database, struct diag *diag)
{
	enum exit_status status;

	*place = (struct sweep_place){ 0 };
	if (arguments->mode != SWEEP_SLICE) {
		place->db = db_open(database, DB_WRITE, diag);
		return place->db ? STATUS_OK : diag->status;
	}
	status = open_shard(place, arguments, plan, database, diag);
	if (status != STATUS_OK)
		sweep_place_close(place, NULL);
	return status;
}

enum exit_status sweep_place_narrow(struct sweep_place *place, struct plan *plan,
				    struct sweep_options *options, struct diag *diag)
{
	options->base = place->base;
	if (!place->slices.first)
		return STATUS_OK;
	options->first = place->slices.first[place->slice];
	options->end = place->slices.first[place->slice + 1];
	return slices_arrange(&place->slices, plan, diag);
}

enum exit_status sweep_place_close(struct sweep_place *place, struct diag *diag)
{
	enum exit_status status = db_close(place->db, diag);

	db_close(place->base, NULL);
	slices_free(&place->slices);
	return status;
}

enum exit_status sweep_merge(const struct plan *plan, const char *database, size_t *n_missing,
			     struct diag *diag)
{
	struct slices slices;
	enum exit_status status = sweep_find_slices(&slices, plan, database, diag);
	struct db *db = NULL;
	uint64_t n_new;

	if (status == STATUS_OK && !(db = db_open(database, DB_WRITE_SHARED, diag)))
		status = diag->status;
	if (status == STATUS_OK)
		status = slices_merge(&slices, db, &n_new, n_missing, diag);
	if (db_close(db, diag) != STATUS_OK && status == STATUS_OK)
		status = diag->status;
	slices_free(&slices);
	return status;
}
