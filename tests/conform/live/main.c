/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live: random translation cases under QEMU and under our walker, compared. Prints each difference,
 * how often each known deviation of QEMU was met, and `N passed, N failed`.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "live.h"

enum { BATCH = 1500, SHOWN = 20 };

struct options {
	struct live_emulator emulator;
	const char *cpu;
	uint64_t cases, seed;
	int category; /* -1: all */
	const char *write;
	bool verbose;
};

struct totals {
	unsigned long cases, queries, passed, failed, died;
	unsigned long outcome[LIVE_CATEGORIES][8];
	unsigned long *excused;
	FILE *failures, *agreed;
};

static uint64_t parse_number(struct argp_state *state, const char *arg)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(arg, &end, 0);
	if (errno || *end || end == arg || *arg == '-')
		argp_error(state, "'%s': expected a number", arg);
	return value;
}

static int parse_category(struct argp_state *state, const char *arg)
{
	for (int i = 0; i < LIVE_CATEGORIES; i++)
		if (strcmp(arg, live_category_names[i]) == 0)
			return i;
	argp_error(state, "'%s': no such category", arg);
	return -1;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'q':
		o->emulator.qemu = arg;
		return 0;
	case 'g':
		o->emulator.guest = arg;
		return 0;
	case 'd':
		o->emulator.dir = arg;
		return 0;
	case 't':
		o->emulator.timeout_s = (unsigned)parse_number(state, arg);
		return 0;
	case 'c':
		o->cpu = arg;
		return 0;
	case 'n':
		o->cases = parse_number(state, arg);
		return 0;
	case 's':
		o->seed = parse_number(state, arg);
		return 0;
	case 'k':
		o->category = parse_category(state, arg);
		return 0;
	case 'w':
		o->write = arg;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case ARGP_KEY_END:
		if (!o->emulator.guest || !o->emulator.dir)
			argp_error(state, "--guest and --dir are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "qemu", 'q', "PROGRAM", 0, "QEMU to run [qemu-system-aarch64]", 0 },
	{ "guest", 'g', "FILE", 0, "The bare-metal program", 0 },
	{ "dir", 'd', "DIR", 0, "Folder for requests, answers and failed cases", 0 },
	{ "timeout", 't', "SECONDS", 0, "For one batch of cases [120]", 0 },
	{ "cpu", 'c', "MODEL", 0, "As QEMU names it [max]", 0 },
	{ "cases", 'n', "N", 0, "Number of cases [1000]", 0 },
	{ "seed", 's', "N", 0, "Seed of the first case [1]", 0 },
	{ "category", 'k', "NAME", 0, "Only cases of this kind", 0 },
	{ "write", 'w', "FILE", 0, "Write the cases on which both agree, as text", 0 },
	{ "verbose", 'v', NULL, 0, "Print what the answers are, by kind", 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.doc = "Compare the walker with an emulated PE on random translation cases.",
};

/*
 * RAM as large as the PE can address beside the devices above it, and a range above (or, with 40
 * bits, below) the PCI windows that nothing answers in.
 */
static void set_map(struct live_machine *m)
{
	unsigned pa_bits = cpu_pa_size_bits((unsigned)(m->pe.mmfr0 & 15));

	bool wide = pa_bits > 40;

	m->ram_end = WIRE_GUEST_FIRST + ((uint64_t)m->ram_gib << 30);
	m->ext_first = wide ? UINT64_C(0x20000000000) : UINT64_C(0x3400000000);
	m->ext_end = wide ? UINT64_C(1) << pa_bits : UINT64_C(0x4000000000);
}

static bool set_machine(const struct options *o, struct live_machine *m)
{
	*m = (struct live_machine){ .pe = { .name = o->cpu }, .ram_gib = 200 };
	m->version = live_version(&o->emulator);
	if (m->version == 0) {
		fprintf(stderr, "%s: error: not QEMU, or it cannot be run\n", o->emulator.qemu);
		return false;
	}
	if (live_run(&o->emulator, m, NULL, 0) < 0) {
		fprintf(stderr, "%s -cpu %s: error: the bare-metal program gave no answer\n",
			o->emulator.qemu, o->cpu);
		return false;
	}
	if ((m->pe.mmfr0 & 15) > 2)
		m->ram_gib = 1024;
	set_map(m);
	return true;
}

static void show(const struct live_case *c, const struct live_query *q)
{
	printf("%s/%s/%" PRIu64 ": %s %" PRIx64 ": QEMU ", c->machine->pe.name,
	       live_category_names[c->category], c->seed, live_op_names[q->op], q->va);
	live_print_result(stdout, q, &q->theirs);
	fputs(", ours ", stdout);
	live_print_result(stdout, q, &q->ours);
	putchar('\n');
}

static void judge_case(const struct live_case *c, unsigned queries, struct totals *t)
{
	unsigned failed = 0, same = 0;

	for (unsigned i = 0; i < queries; i++) {
		const struct live_query *q = &c->queries[i];
		unsigned deviation;

		t->outcome[c->category][q->walk.fault.type]++;
		switch (live_compare(c, q, &deviation)) {
		case LIVE_SAME:
			t->passed++;
			same |= 1U << i;
			break;
		case LIVE_EXCUSED:
			t->excused[deviation]++;
			break;
		case LIVE_DIFFERENT:
			if (t->failed++ < SHOWN)
				show(c, q);
			failed |= 1U << i;
			break;
		}
	}
	t->queries += queries;
	if (failed)
		live_print_case(t->failures, c, failed);
	if (same && t->agreed)
		live_print_case(t->agreed, c, same);
}

/* Drop the queries that would kill the emulator. */
static void drop_deadly(struct live_case *c, struct totals *t)
{
	unsigned kept = 0, deviation;

	for (unsigned i = 0; i < c->queries_count; i++) {
		if (live_must_skip(c, &c->queries[i], &deviation))
			t->excused[deviation]++;
		else
			c->queries[kept++] = c->queries[i];
	}
	c->queries_count = kept;
}

static int run_batch(const struct options *o, struct live_machine *m, struct live_case **cases,
		     size_t count, struct totals *t)
{
	long answered = live_run(&o->emulator, m, cases, count);

	if (answered < 0)
		return 70;
	for (size_t i = 0; i < count; i++) {
		const struct live_case *c = cases[i];
		unsigned n = c->queries_count;

		if (answered < (long)n) {
			printf("%s/%s/%" PRIu64 ": QEMU ended at this case or up to %d later\n",
			       m->pe.name, live_category_names[c->category], c->seed, BATCH);
			t->died++;
			judge_case(c, (unsigned)answered, t);
			break;
		}
		judge_case(c, n, t);
		answered -= n;
	}
	t->cases += count;
	return 0;
}

static int run_all(const struct options *o, struct live_machine *m, struct live_case **cases,
		   struct phys_mem *mem, struct totals *t)
{
	uint64_t seed = o->seed, left = o->cases;
	int status = 0;

	while (left > 0 && status == 0) {
		size_t count = 0;

		for (; count < BATCH && left > 0; seed++) {
			struct live_case *c = cases[count];
			int category =
				o->category < 0 ? (int)(seed % LIVE_CATEGORIES) : o->category;

			live_generate(c, m, (enum live_category)category, seed);
			live_answer(c, mem);
			drop_deadly(c, t);
			if (c->queries_count == 0)
				continue;
			count++;
			left--;
		}
		status = run_batch(o, m, cases, count, t);
	}
	return status;
}

static void print_outcomes(const struct totals *t)
{
	static const char *const names[8] = { "done",	     "translation", "address size",
					      "access flag", "permission",  "alignment",
					      "walk abort",  "abort" };

	for (int c = 0; c < LIVE_CATEGORIES; c++) {
		printf("%-8s", live_category_names[c]);
		for (int i = 0; i < 8; i++)
			printf(" %s %lu", names[i], t->outcome[c][i]);
		putchar('\n');
	}
}

static int report(const struct options *o, const struct live_machine *m, const struct totals *t)
{
	printf("%s, QEMU %u.%u: %lu cases, %lu queries\n", o->cpu, m->version / 100,
	       m->version % 100, t->cases, t->queries);
	if (o->verbose)
		print_outcomes(t);
	for (unsigned i = 0; i < live_deviations_count; i++)
		if (t->excused[i])
			printf("%8lu %s: %s\n", t->excused[i],
			       live_deviations[i].skip ? "not asked" : "excused  ",
			       live_deviations[i].name);
	printf("%lu passed, %lu failed\n", t->passed, t->failed + t->died);
	return t->failed || t->died || !t->passed;
}

static FILE *open_output(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f) {
		fprintf(stderr, "%s: error: %s\n", path, strerror(errno));
		exit(74);
	}
	return f;
}

static void *allocate(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p) {
		fputs("error: out of memory\n", stderr);
		exit(70);
	}
	return p;
}

/* Closing tells whether everything was written. */
static int close_output(FILE *f, const char *what)
{
	if (!f || fclose(f) == 0)
		return 0;
	fprintf(stderr, "%s: error: %s\n", what, strerror(errno));
	return 74;
}

static int run(const struct options *o, struct totals *t)
{
	struct live_case **cases = allocate(BATCH * sizeof(cases[0]));
	struct live_case *storage = allocate(BATCH * sizeof(storage[0]));
	struct phys_mem *mem = phys_create();
	struct live_machine machine;
	int status = 70;

	for (int i = 0; i < BATCH; i++)
		cases[i] = &storage[i];
	if (!mem)
		fputs("error: out of memory\n", stderr);
	else if (set_machine(o, &machine))
		status = run_all(o, &machine, cases, mem, t);
	if (close_output(t->failures, "failed cases") || close_output(t->agreed, o->write))
		status = 74;
	if (status == 0)
		status = report(o, &machine, t);
	if (mem)
		phys_destroy(mem);
	free(storage);
	free(cases);
	return status;
}

int main(int argc, char **argv)
{
	struct options o = { .emulator = { .qemu = "qemu-system-aarch64", .timeout_s = 120 },
			     .cpu = "max",
			     .cases = 1000,
			     .seed = 1,
			     .category = -1 };
	struct totals totals = { 0 };
	char path[4096];
	int status;

	argp_err_exit_status = 64;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (mkdir(o.emulator.dir, 0777) != 0 && errno != EEXIST) {
		fprintf(stderr, "%s: error: %s\n", o.emulator.dir, strerror(errno));
		return 74;
	}
	snprintf(path, sizeof(path), "%s/failed.txt", o.emulator.dir);
	totals.failures = open_output(path);
	if (o.write)
		totals.agreed = open_output(o.write);
	totals.excused = allocate((live_deviations_count + 1) * sizeof(totals.excused[0]));
	status = run(&o, &totals);
	free(totals.excused);
	return status;
}
