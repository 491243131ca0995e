/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kvm-live - boots a kernel with KVM, gives it the set-ups of the FILEs (docs/kvm.md has their
 * format) and prints them with the snapshots that the tables in the machine's memory give. Lines
 * "host" and "snap" of the FILEs are left out.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "kvm_live.h"
#include "vmm/guest.h"

#define LINE_BYTES 4096
#define HCR_VM	   0
#define HCR_FWB	   46
/* Nearly all the time the guest spins; the first look most often meets it. */
#define LOOKS_MAX 2000
#define LOOK_NS	  2000000L

static const char probe[] =
	"name=probe ipa=0 base=0x40000000 size=2M backing=anon hskew=0 script=snap";

struct session {
	struct machine machine;
	struct gdb gdb;
	const char *cpu;
	char ready[256]; /* what the VMM says about its kernel */
	uint64_t base, bytes;
	unsigned snaps;
	bool has_host; /* the line "host" is out */
	unsigned random_setups;
	uint64_t seed;
};

/* The number behind `key` with its unit; 0 without. */
static uint64_t number_after(const char *line, const char *key)
{
	static const char units[] = "KMGT";
	const char *at = strstr(line, key), *unit;
	char *end;
	uint64_t value;

	if (!at)
		return 0;
	value = strtoull(at + strlen(key), &end, 0);
	unit = *end ? strchr(units, *end) : NULL;
	return unit ? value << 10 * (unit - units + 1) : value;
}

/* Looks until the guest spins, and leaves the machine stopped. */
static bool catch_guest(struct session *s, struct stage2_regs *regs, struct tables *t,
			uint64_t **mailbox)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	const struct machine *m = &s->machine;
	uint64_t pa;

	for (unsigned look = 0; look < LOOKS_MAX; look++) {
		if (!gdb_stop(&s->gdb, regs))
			return false;
		if ((regs->hcr >> HCR_VM & 1) && tables_open(t, regs) &&
		    tables_translate(t, m, 0, &pa) && machine_word(m, pa) &&
		    *machine_word(m, pa + GUEST_MARK) == GUEST_MARK_WORD) {
			*mailbox = machine_word(m, pa + GUEST_MAILBOX);
			return true;
		}
		if (!gdb_continue(&s->gdb))
			return false;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "error: the guest is never seen to run\n");
	return false;
}

static void print_host(struct session *s, const struct stage2_regs *regs, const struct tables *t)
{
	const char *rest = strstr(s->ready, " ipa_limit=");

	printf("host %.*s cpu=%s%s fwb=%u lpa2=%u\n", (int)(rest - s->ready), s->ready, s->cpu,
	       rest, (unsigned)(regs->hcr >> HCR_FWB & 1), t->ds);
	s->has_host = true;
}

static bool snap(struct session *s, const char *line)
{
	struct stage2_regs regs;
	struct tables t;
	uint64_t *mailbox, serial, faults;
	bool counted;

	if (sscanf(line, "snap %" SCNu64 " %" SCNu64, &serial, &faults) != 2 ||
	    !catch_guest(s, &regs, &t, &mailbox))
		return false;
	if (!s->has_host)
		print_host(s, &regs, &t);
	counted = tables_count(&t, &s->machine, s->base, s->bytes);
	*mailbox = serial;
	s->snaps++;
	if (!counted)
		fprintf(stderr, "error: tables outside of RAM, or too many kinds of leaves\n");
	else if (s->bytes)
		tables_print(stdout, &t, s->snaps, faults);
	return counted && gdb_continue(&s->gdb);
}

/* Answers of the VMM to one set-up, until its end. */
static bool answers(struct session *s)
{
	char text[LINE_BYTES];
	const char *line;

	while ((line = machine_line(&s->machine, text, sizeof(text)))) {
		if (strcmp(line, "end") == 0)
			return true;
		if (strncmp(line, "snap ", 5) == 0 && snap(s, line))
			continue;
		if (strncmp(line, "error ", 6) != 0) {
			fprintf(stderr, "error: the VMM says: %s\n", line);
			return false;
		}
		/* Refused: number 0; a guest that hangs: the number of the snapshot that it misses.
		 */
		printf("snap %u error=%s start_level=- root_tables=- slot_tables_L1=- "
		       "slot_tables_L2=- slot_tables_L3=- leaves_by_size=- leaf_attrs=- faults=-\n",
		       strstr(line, "KVM_RUN:") ? s->snaps + 1 : 0, line + 6);
	}
	return false;
}

static bool run_setup(struct session *s, const char *line)
{
	s->base = number_after(line, " base=");
	s->bytes = s->has_host ? number_after(line, " size=") : 0;
	s->snaps = 0;
	if (s->has_host)
		puts(line);
	fflush(stdout);
	if (machine_send(&s->machine, line) && answers(s))
		return true;
	fprintf(stderr, "error: no answer to %s\n", line);
	return false;
}

static bool run_file(struct session *s, const char *path)
{
	FILE *in = fopen(path, "r");
	char line[LINE_BYTES];
	bool ok = in;

	if (!in)
		fprintf(stderr, "%s: error: %s\n", path, strerror(errno));
	while (ok && fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "host ", 5) == 0 || strncmp(line, "snap ", 5) == 0)
			continue;
		if (strncmp(line, "name=", 5) == 0)
			ok = run_setup(s, line);
		else
			puts(line);
	}
	if (in)
		fclose(in);
	return ok && fflush(stdout) == 0;
}

static bool run_random(struct session *s)
{
	const unsigned minor = (unsigned)number_after(s->ready, "kernel=6.");
	struct random_host r = { .state = s->seed,
				 .page_bytes = number_after(s->ready, "page=") << 10,
				 .ipa_limit_bits = (unsigned)number_after(s->ready, "ipa_limit="),
				 .eager_split = minor >= 5 };
	char line[LINE_BYTES];
	bool ok = true;

	/* Level 0 with 16K pages: QEMU 7.2 takes it for illegal, no guest begins there. */
	if (r.page_bytes == 16384 && r.ipa_limit_bits > 51)
		r.ipa_limit_bits = 51;
	if (s->random_setups)
		printf("\n# Made from seed %" PRIu64 ".\n", s->seed);
	for (unsigned i = 0; i < s->random_setups && ok; i++) {
		random_setup(&r, i, line, sizeof(line));
		ok = run_setup(s, line);
	}
	return ok && fflush(stdout) == 0;
}

static bool run(struct session *s, const struct machine_setup *setup, unsigned timeout_s,
		char **files)
{
	char text[LINE_BYTES];
	const char *line;
	bool ok = machine_start(&s->machine, setup, timeout_s) && gdb_open(&s->gdb, &s->machine);

	line = ok ? machine_line(&s->machine, text, sizeof(text)) : NULL;
	ok = line && strncmp(line, "ready ", 6) == 0;
	if (line && !ok)
		fprintf(stderr, "error: the VMM says: %s\n", line);
	ok = ok && strstr(line, " ipa_limit=");
	if (ok)
		snprintf(s->ready, sizeof(s->ready), "%s", line + 6);
	ok = ok && run_setup(s, probe);
	for (; ok && *files; files++)
		ok = run_file(s, *files);
	ok = ok && run_random(s);
	gdb_close(&s->gdb);
	machine_stop(&s->machine);
	return ok;
}

struct options {
	struct machine_setup machine;
	unsigned timeout_s, random_setups;
	uint64_t seed;
};

static bool parse_options(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "qemu", 1, 0, 'q' },	  { "cpu", 1, 0, 'c' },
		{ "kernel", 1, 0, 'k' },  { "vmm", 1, 0, 'v' },
		{ "timeout", 1, 0, 't' }, { "random", 1, 0, 'r' },
		{ "seed", 1, 0, 's' },	  { 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'q')
			o->machine.qemu = optarg;
		else if (option == 'c')
			o->machine.cpu = optarg;
		else if (option == 'k')
			o->machine.kernel = optarg;
		else if (option == 'v')
			o->machine.vmm = optarg;
		else if (option == 't')
			o->timeout_s = (unsigned)strtoul(optarg, NULL, 0);
		else if (option == 'r')
			o->random_setups = (unsigned)strtoul(optarg, NULL, 0);
		else if (option == 's')
			o->seed = strtoull(optarg, NULL, 0);
		else
			return false;
	}
	return o->machine.kernel && o->machine.vmm;
}

int main(int argc, char **argv)
{
	struct options o = { .machine = { .qemu = "qemu-system-aarch64",
					  .cpu = "max",
					  .ram_bytes = UINT64_C(6) << 30 },
			     .timeout_s = 900,
			     .seed = 1 };
	struct session s = { 0 };

	/* Who starts us and is killed would leave a machine behind. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (!parse_options(&o, argc, argv)) {
		fprintf(stderr, "usage: kvm-live --kernel FILE --vmm FILE [--cpu MODEL] "
				"[--qemu PROGRAM] [--timeout SECONDS] [--random SET-UPS] "
				"[--seed N] [FILE...]\n");
		return 64;
	}
	s.cpu = o.machine.cpu;
	s.random_setups = o.random_setups;
	s.seed = o.seed;
	return run(&s, &o.machine, o.timeout_s, argv + optind) ? 0 : 70;
}
