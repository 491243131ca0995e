/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of `twostage sweep`. */
#ifndef TWOSTAGE_CLI_SWEEP_ARGS_H
#define TWOSTAGE_CLI_SWEEP_ARGS_H

#include <stddef.h>

enum sweep_mode {
	SWEEP_ALL,    /* all points, here */
	SWEEP_SLICE,  /* the points of one slice, into its shard */
	SWEEP_MERGE,  /* the shards into the database */
	SWEEP_STATUS, /* how far the slices are */
	SWEEP_SLURM,  /* all slices, as tasks of Slurm */
};

struct sweep_args {
	enum sweep_mode mode;
	const char *spec, *database;
	char timing[64];	  /* the setting that --timing stands for; empty: none */
	const char *find, *where; /* of a search (sweep/find.h); NULL: run all points */
	const char *confidence;	  /* of the samples to choose; NULL: none */
	unsigned n_workers;
	unsigned slice, n_slices; /* SWEEP_SLICE: which, counted from 0, of how many */
	unsigned n_tasks;	  /* SWEEP_SLURM: into which it is cut; 0: by their cost */
	unsigned task_minutes;	  /* what a task of Slurm is to be worth */
	int dry_run, json, csv, detach, salvage;
	char **sbatch; /* options for sbatch */
	size_t n_sbatch;
};

/* Wrong command lines end the program with STATUS_USAGE, as argp does. */
void sweep_args_parse(struct sweep_args *arguments, int argc, char **argv);

#endif
