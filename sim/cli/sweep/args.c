/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/sweep/args.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sweep/pool.h"
#include "sweep/slice.h"

enum { TASK_MINUTES = 10, TASK_MINUTES_MAX = 7 * 24 * 60 };

enum key {
	KEY_SLICE = 0x100,
	KEY_MERGE,
	KEY_STATUS,
	KEY_SLURM,
	KEY_SLICES,
	KEY_TASK_MINUTES,
	KEY_DETACH,
	KEY_CONFIDENCE,
	KEY_FIND,
	KEY_WHERE,
	KEY_SALVAGE,
};

static unsigned parse_number(const char *option, const char *text, unsigned max,
			     struct argp_state *state)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || *end || end == text || n < 1 || n > (long)max)
		argp_error(state, "%s %s: a number from 1 to %u expected", option, text, max);
	return (unsigned)n;
}

/* I/N, I from 1 to N. */
static void parse_slice(struct sweep_args *arguments, const char *text, struct argp_state *state)
{
	char *slash, *end = NULL;
	long i, n = 0;

	errno = 0;
	i = strtol(text, &slash, 10);
	if (slash > text && *slash == '/')
		n = strtol(slash + 1, &end, 10);
	if (errno || !end || end == slash + 1 || *end || n < 1 || n > SLICES_MAX || i < 1 || i > n)
		argp_error(state, "--slice %s: I/N expected, I from 1 to N, N at most %d", text,
			   SLICES_MAX);
	arguments->slice = (unsigned)i - 1;
	arguments->n_slices = (unsigned)n;
}

static void set_mode(struct sweep_args *arguments, enum sweep_mode mode, struct argp_state *state)
{
	if (arguments->mode != SWEEP_ALL)
		argp_error(state, "--slice, --merge, --status and --slurm exclude each other");
	arguments->mode = mode;
}

static void add_argument(struct sweep_args *arguments, char *arg, struct argp_state *state)
{
	if (!arguments->spec) {
		arguments->spec = arg;
		return;
	}
	if (arguments->mode != SWEEP_SLURM)
		argp_error(state, "one spec at a time");
	if (strncmp(arg, "--array", 7) == 0 || strncmp(arg, "-a", 2) == 0)
		argp_error(state, "%s: the array is the sweep's own; use --slices", arg);
	if (arguments->n_sbatch == 0)
		arguments->sbatch = &state->argv[state->next - 1];
	arguments->n_sbatch++;
}

static void check(const struct sweep_args *arguments, struct argp_state *state)
{
	if (arguments->csv && arguments->json)
		argp_error(state, "--csv and --json exclude each other");
	if (arguments->confidence && arguments->mode != SWEEP_ALL)
		argp_error(state,
			   "--confidence chooses samples anew; on a cluster set sample.period "
			   "and its like in the spec");
	if (*arguments->timing && arguments->mode == SWEEP_SLURM)
		argp_error(state,
			   "--timing does not reach the tasks of --slurm: set timing.backend "
			   "in the spec");
	if (arguments->salvage && arguments->mode == SWEEP_SLURM)
		argp_error(state, "--salvage does not reach the tasks of --slurm: save the traces "
				  "once, by `twostage trace convert --salvage`");
	if (arguments->n_workers && arguments->mode == SWEEP_SLURM)
		argp_error(state, "--jobs does not reach the tasks of --slurm: ask sbatch for "
				  "processors, `-- --cpus-per-task=N`");
	if (arguments->mode != SWEEP_SLURM &&
	    (arguments->detach || arguments->n_tasks || arguments->task_minutes))
		argp_error(state, "--detach, --slices and --task-minutes want --slurm");
	if (!arguments->find != !arguments->where)
		argp_error(state, "--find and --where want each other");
	if (arguments->find && (arguments->mode != SWEEP_ALL || arguments->dry_run))
		argp_error(state, "--find runs here, and what it will run depends on results: no "
				  "--dry-run, --slice, --merge, --status or --slurm");
	if (arguments->mode != SWEEP_ALL && arguments->dry_run)
		argp_error(state, "--dry-run lists all points; it takes no slices");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct sweep_args *arguments = state->input;

	switch (key) {
	case 'j':
		arguments->n_workers = parse_number("--jobs", arg, POOL_WORKERS_MAX, state);
		return 0;
	case 'o':
		arguments->database = arg;
		return 0;
	case 't':
		snprintf(arguments->timing, sizeof(arguments->timing), "timing.backend=%s", arg);
		return 0;
	case 'n':
		arguments->dry_run = 1;
		return 0;
	case 'J':
		arguments->json = 1;
		return 0;
	case 'C':
		arguments->csv = 1;
		return 0;
	case KEY_SLICE:
		set_mode(arguments, SWEEP_SLICE, state);
		parse_slice(arguments, arg, state);
		return 0;
	case KEY_MERGE:
		set_mode(arguments, SWEEP_MERGE, state);
		return 0;
	case KEY_STATUS:
		set_mode(arguments, SWEEP_STATUS, state);
		return 0;
	case KEY_SLURM:
		set_mode(arguments, SWEEP_SLURM, state);
		return 0;
	case KEY_SLICES:
		arguments->n_tasks = parse_number("--slices", arg, SLICES_MAX, state);
		return 0;
	case KEY_TASK_MINUTES:
		arguments->task_minutes =
			parse_number("--task-minutes", arg, TASK_MINUTES_MAX, state);
		return 0;
	case KEY_CONFIDENCE:
		arguments->confidence = arg;
		return 0;
	case KEY_DETACH:
		arguments->detach = 1;
		return 0;
	case KEY_FIND:
		arguments->find = arg;
		return 0;
	case KEY_SALVAGE:
		arguments->salvage = 1;
		return 0;
	case KEY_WHERE:
		arguments->where = arg;
		return 0;
	case ARGP_KEY_ARG:
		add_argument(arguments, arg, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which spec?");
		return 0;
	case ARGP_KEY_END:
		check(arguments, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void sweep_args_parse(struct sweep_args *arguments, int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "jobs", 'j', "N", 0, "worker processes; as many as processors if not given", 0 },
		{ "output", 'o', "DATABASE", 0, "results/NAME.db if not given", 0 },
		{ "confidence", KEY_CONFIDENCE, "PERCENT%[:STAT]", 0,
		  "sample the traces, so that the 95 % interval of STAT (walks) is so narrow for "
		  "the first point of each",
		  0 },
		{ "timing", 't', "BACKEND", 0,
		  "analytic or systemc, for all models; the spec's own timing.backend stands", 0 },
		{ "dry-run", 'n', NULL, 0,
		  "list the points, what they share and what they will cost, and stop", 0 },
		{ "salvage", KEY_SALVAGE, NULL, 0,
		  "replay damaged or truncated traces up to the damage", 0 },
		{ "json", 'J', NULL, 0, "print the summary and the spec's tables as JSON", 0 },
		{ "csv", 'C', NULL, 0, "print the spec's tables as CSV", 0 },
		{ "find", KEY_FIND, "PARAM[=LO..HI[:STEP]]", 0,
		  "instead of all points, find by bisection where along this axis --where becomes "
		  "true or false; STEP a number, or xFACTOR",
		  0 },
		{ "where", KEY_WHERE, "CONDITION", 0,
		  "for --find: two expressions of statistics with <, <=, > or >= between them", 0 },
		{ NULL, 0, NULL, 0, "On a cluster (docs/scaling.md):", 1 },
		{ "slice", KEY_SLICE, "I/N", 0,
		  "run slice I of N into DATABASE.slices, for any scheduler", 1 },
		{ "merge", KEY_MERGE, NULL, 0, "merge the slices into the database", 1 },
		{ "status", KEY_STATUS, NULL, 0,
		  "say how far the slices are, or the database, and what is left", 1 },
		{ "slurm", KEY_SLURM, NULL, 0,
		  "run all slices as tasks of Slurm, those that failed again, and merge; what "
		  "follows -- is given to sbatch",
		  1 },
		{ "slices", KEY_SLICES, "N", 0, "number of tasks, instead of by their cost", 1 },
		{ "task-minutes", KEY_TASK_MINUTES, "N", 0,
		  "about what a task is worth on one processor; 10 if not given", 1 },
		{ "detach", KEY_DETACH, NULL, 0, "with --slurm: submit and do not wait", 1 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "SPEC.yaml [-- SBATCH-OPTION...]",
		.doc = "Run all points of a spec into a result database. Points that are there "
		       "already are skipped: repeat the command to resume. Ends with the tables "
		       "that the spec's `print:` asks for.",
	};
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);

	*arguments = (struct sweep_args){ 0 };
	argp_parse(&argp, argc, argv, 0, NULL, arguments);
	if (!arguments->n_workers)
		arguments->n_workers = processors < 1		       ? 1
				       : processors > POOL_WORKERS_MAX ? POOL_WORKERS_MAX
								       : (unsigned)processors;
	if (!arguments->task_minutes)
		arguments->task_minutes = TASK_MINUTES;
}
