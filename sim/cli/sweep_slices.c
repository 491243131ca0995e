/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/sweep_slices.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/slurm.h"

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* The slices as the folder says. */
static enum exit_status find_slices(struct slices *slices, const struct plan *plan,
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
	enum exit_status status = find_slices(&slices, plan, database, diag);
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

/* Unknown states are SLURM_GONE: without Slurm, or when it does not answer. */
static enum slurm_task *read_queue(const struct slices *slices)
{
	enum slurm_task *tasks = calloc(slices->n, sizeof(*tasks));
	char *name = slurm_job_name(slices);

	if (tasks && name && slurm_queue(name, tasks, slices->n, NULL) != STATUS_OK)
		memset(tasks, 0, slices->n * sizeof(*tasks));
	free(name);
	return tasks;
}

static enum exit_status print_slices(const struct slices *slices, struct db *base, int json,
				     size_t *n_done, struct diag *diag)
{
	static const char *const states[] = { "not in the queue of Slurm", "pending", "running" };
	enum slurm_task *tasks = read_queue(slices);
	enum exit_status status = tasks ? STATUS_OK : no_memory(diag);
	unsigned n_complete = 0;

	if (json)
		printf("\"slices\":[");
	for (unsigned i = 0; status == STATUS_OK && i < slices->n; i++) {
		size_t n_points = slices->first[i + 1] - slices->first[i], done;

		status = slices_done(slices, i, base, &done, diag);
		if (status != STATUS_OK)
			break;
		*n_done += done;
		n_complete += done == n_points;
		if (json)
			printf("%s{\"slice\":%u,\"points\":%zu,\"done\":%zu,\"state\":\"%s\"}",
			       i ? "," : "", i + 1, n_points, done, states[tasks[i]]);
		else if (done < n_points)
			printf("slice %u: %zu of %zu points, %s\n", i + 1, done, n_points,
			       states[tasks[i]]);
	}
	free(tasks);
	if (json)
		printf("],\"stats\":{\"slices\":%u,\"complete\":%u,\"points\":%zu,\"done\":%zu}}\n",
		       slices->n, n_complete, slices->plan->n_points, *n_done);
	else if (status == STATUS_OK)
		printf("%s: %u of %u slices complete, %zu of %zu points done\n", slices->folder,
		       n_complete, slices->n, *n_done, slices->plan->n_points);
	return status;
}

int sweep_status(const struct sweep_args *arguments, const struct plan *plan, const char *database)
{
	struct diag diag = DIAG_INIT;
	struct slices slices;
	struct db *base = NULL;
	size_t n_done = 0;

	if (find_slices(&slices, plan, database, &diag) == STATUS_OK &&
	    slices_check(&slices, &diag) == STATUS_OK &&
	    db_open_existing(database, &base, &diag) == STATUS_OK) {
		if (arguments->json) {
			printf("{\"schema\":1,\"params\":{\"sweep\":");
			output_json_string(stdout, plan->name);
			printf(",\"database\":");
			output_json_string(stdout, database);
			printf("},");
		}
		print_slices(&slices, base, arguments->json, &n_done, &diag);
	}
	db_close(base, NULL);
	slices_free(&slices);
	if (diag.status != STATUS_OK)
		return output_diag(&diag);
	return n_done == plan->n_points ? STATUS_OK : STATUS_INTERRUPTED;
}
