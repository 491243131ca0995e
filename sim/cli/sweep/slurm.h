/* SPDX-License-Identifier: BSD-2-Clause */
/* Slurm's commands, as `twostage sweep` needs them. */
#ifndef TWOSTAGE_CLI_SWEEP_SLURM_H
#define TWOSTAGE_CLI_SWEEP_SLURM_H

#include <stddef.h>

#include "base/diag.h"
#include "sweep/slice.h"

enum slurm_task { SLURM_GONE, SLURM_PENDING, SLURM_RUNNING };

/* The name of all tasks of this sweep in this folder, other than that of any other; to be freed. */
char *slurm_job_name(const struct slices *slices);

/*
 * Which tasks of jobs named `name` the queue has: tasks[i] of slice i. STATUS_IO if squeue fails:
 * nothing is known then.
 */
enum exit_status slurm_queue(const char *name, enum slurm_task *tasks, unsigned n,
			     struct diag *diag);

struct slurm_job {
	const char *name, *spec, *database;
	const unsigned char *wanted; /* [n]: is the slice to be run? */
	char **options;		     /* for sbatch */
	size_t n_options;
};

/* Submit an array of tasks, whose script and output lie in the folder of slices. STATUS_IO. */
enum exit_status slurm_submit(const struct slices *slices, const struct slurm_job *job,
			      struct diag *diag);

#endif
