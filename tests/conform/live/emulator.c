/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking QEMU: files of requests and answers, and the process. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "live.h"

#define PATH_BYTES 4096

struct answers {
	uint64_t *word;
	size_t count, at;
};

static void path_of(const struct live_emulator *e, const char *name, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%s/%s", e->dir, name);
}

static void put(FILE *f, uint64_t word)
{
	fwrite(&word, sizeof(word), 1, f);
}

static void put_case(FILE *f, const struct live_case *c)
{
	const struct mmu_regs *r = &c->regs;

	put(f, c->words_count | (uint64_t)c->queries_count << 32);
	put(f, r->tcr_el1);
	put(f, r->ttbr0_el1);
	put(f, r->ttbr1_el1);
	put(f, r->mair_el1);
	put(f, r->sctlr_el1);
	put(f, r->hcr_el2);
	put(f, r->vtcr_el2);
	put(f, r->vttbr_el2);
	for (unsigned i = 0; i < c->words_count; i++) {
		put(f, c->words[i].pa);
		put(f, c->words[i].value);
	}
	for (unsigned i = 0; i < c->queries_count; i++) {
		put(f, c->queries[i].op);
		put(f, c->queries[i].va);
	}
}

static bool write_requests(const struct live_emulator *e, struct live_case *const *cases,
			   size_t count)
{
	char path[PATH_BYTES];
	FILE *f;
	bool ok;

	path_of(e, "answers.bin", path);
	unlink(path);
	path_of(e, "requests.bin", path);
	f = fopen(path, "wb");
	if (f) {
		put(f, WIRE_REQUEST);
		put(f, count);
		for (size_t i = 0; i < count; i++)
			put_case(f, cases[i]);
		ok = !ferror(f);
		if (fclose(f) == 0 && ok)
			return true;
	}
	fprintf(stderr, "%s: error: %s\n", path, strerror(errno));
	return false;
}

/* In the child: QEMU, in the folder of the files, nothing on its terminal but errors. */
static _Noreturn void exec_qemu(const struct live_emulator *e, const struct live_machine *m)
{
	char object[128], guest[PATH_BYTES], memory[16];
	const char *const argv[] = {
		e->qemu,    "-M",	"virt,virtualization=on,memory-backend=ram",
		"-object",  object,	"-m",
		memory,	    "-cpu",	m->pe.name,
		"-accel",   "tcg",	"-semihosting",
		"-display", "none",	"-serial",
		"none",	    "-monitor", "none",
		"-nic",	    "none",	"-kernel",
		guest,	    NULL
	};

	snprintf(memory, sizeof(memory), "%uG", m->ram_gib);
	/* Shared and not reserved: private memory is zeroed by huge pages, 25 to 45 times slower.
	 */
	snprintf(object, sizeof(object), "memory-backend-ram,id=ram,size=%uG,share=on,reserve=off",
		 m->ram_gib);
	if (!realpath(e->guest, guest) || chdir(e->dir) != 0) {
		fprintf(stderr, "%s: error: %s\n", e->guest, strerror(errno));
		_exit(126);
	}
	execvp(e->qemu, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "%s: error: %s\n", e->qemu, strerror(errno));
	_exit(127);
}

/* Wait for `pid` until the time is over; -1 when it had to be killed. */
static int wait_for(pid_t pid, unsigned timeout_s)
{
	const struct timespec tick = { .tv_nsec = 5000000 };
	int status;

	for (unsigned long ticks = 0; ticks < timeout_s * 200UL; ticks++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		nanosleep(&tick, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

static bool run_qemu(const struct live_emulator *e, const struct live_machine *m)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		exec_qemu(e, m);
	if (pid < 0) {
		perror("fork");
		return false;
	}
	status = wait_for(pid, e->timeout_s);
	if (status == -1)
		fprintf(stderr, "%s: no end after %u s\n", e->qemu, e->timeout_s);
	else if (WIFSIGNALED(status))
		fprintf(stderr, "%s: killed by signal %d\n", e->qemu, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		fprintf(stderr, "%s: exit status %d\n", e->qemu, WEXITSTATUS(status));
	return status == -1 || WIFSIGNALED(status) || WEXITSTATUS(status) < 126;
}

static bool read_answers(const struct live_emulator *e, struct answers *a)
{
	char path[PATH_BYTES];
	FILE *f;
	long size = -1;

	*a = (struct answers){ 0 };
	path_of(e, "answers.bin", path);
	f = fopen(path, "rb");
	if (f && fseek(f, 0, SEEK_END) == 0)
		size = ftell(f);
	if (size > 0 && fseek(f, 0, SEEK_SET) == 0)
		a->word = malloc((size_t)size);
	if (a->word)
		a->count = fread(a->word, sizeof(a->word[0]), (size_t)size / 8, f);
	if (f)
		fclose(f);
	return a->count >= 5 && a->word[0] == WIRE_ANSWER;
}

static int by_address(const void *a, const void *b)
{
	const struct live_change *x = a, *y = b;

	return (x->pa > y->pa) - (x->pa < y->pa);
}

/* One answer; false when they end before it is complete. */
static bool take(const struct live_case *c, struct live_query *q, struct answers *a)
{
	struct live_result *r = &q->theirs;
	const uint64_t *w = a->word + a->at;
	uint64_t changed;

	if (a->count - a->at < WIRE_ANSWER_WORDS || w[0] == WIRE_END)
		return false;
	changed = w[0] >> 32;
	if ((a->count - a->at - WIRE_ANSWER_WORDS) / 2 < changed || changed > c->words_count)
		return false;
	*r = (struct live_result){ .outcome = (enum wire_outcome)(w[0] & 7), .value = w[1] };
	if (r->outcome == WIRE_DONE &&
	    (live_op_is_fetch(q->op) || q->op == WIRE_STR || q->op == WIRE_STTR))
		r->value = 0;
	if (r->outcome == WIRE_AT_ABORT || r->outcome == WIRE_EL1_FAULT ||
	    r->outcome == WIRE_EL2_FAULT) {
		r->ec = (uint8_t)(w[2] >> 26 & 0x3f);
		r->fsc = w[2] & 0x3f;
		r->s1ptw = w[2] >> 7 & 1;
		r->value = 0;
	}
	if (r->outcome == WIRE_EL1_FAULT || r->outcome == WIRE_EL2_FAULT) {
		r->wnr = w[2] >> 6 & 1;
		r->far = w[3];
		r->hpfar = w[4];
	}
	/* An undefined instruction at the address: it was fetched. */
	if (live_op_is_fetch(q->op) && r->outcome == WIRE_EL1_FAULT && r->ec == 0)
		*r = (struct live_result){ .outcome = WIRE_DONE };
	for (uint64_t i = 0; i < changed && i < LIVE_CHANGES; i++) {
		uint64_t index = w[WIRE_ANSWER_WORDS + 2 * i];

		if (index >= c->words_count)
			return false;
		r->changes[r->changes_count++] =
			(struct live_change){ c->words[index].pa,
					      w[WIRE_ANSWER_WORDS + 2 * i + 1] };
	}
	qsort(r->changes, r->changes_count, sizeof(r->changes[0]), by_address);
	a->at += WIRE_ANSWER_WORDS + 2 * changed;
	return true;
}

static long take_all(struct live_case *const *cases, size_t count, struct answers *a)
{
	long answered = 0;

	for (size_t i = 0; i < count; i++)
		for (unsigned n = 0; n < cases[i]->queries_count; n++, answered++)
			if (!take(cases[i], &cases[i]->queries[n], a))
				return answered;
	return answered;
}

long live_run(const struct live_emulator *e, struct live_machine *machine,
	      struct live_case *const *cases, size_t count)
{
	struct answers a = { 0 };
	long answered = -1;

	if (!write_requests(e, cases, count) || !run_qemu(e, machine))
		return -1;
	if (read_answers(e, &a)) {
		machine->pe.mmfr0 = a.word[1];
		machine->pe.mmfr1 = a.word[2];
		machine->pe.mmfr2 = a.word[3];
		machine->pe.pauth = (a.word[4] & 0xff0) != 0;
		a.at = 5;
		answered = take_all(cases, count, &a);
	} else if (count > 0) {
		answered = 0;
	}
	free(a.word);
	return answered;
}

unsigned live_version(const struct live_emulator *e)
{
	int fd[2], status = 0;
	unsigned major = 0, minor = 0;
	char text[256] = "";
	ssize_t n;
	pid_t pid;

	if (pipe(fd) != 0)
		return 0;
	pid = fork();
	if (pid == 0) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		execlp(e->qemu, e->qemu, "--version", (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	n = pid > 0 ? read(fd[0], text, sizeof(text) - 1) : 0;
	close(fd[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (n <= 0 || sscanf(text, "QEMU emulator version %u.%u", &major, &minor) != 2)
		return 0;
	return major * 100 + minor;
}
