/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A trace on its way into a peer's input. */
struct feed {
	FILE *out;
	uint64_t left; /* accesses */
	uint64_t n_instructions;
	uint64_t ip; /* of the last fetch */
};

struct peer {
	const char *program;
	void (*write)(struct feed *feed, const struct trace_key *key, bool store);
	unsigned share;	      /* it gets 1 of so many accesses, as it is that much slower */
	const char *argv[24]; /* INSTRUCTIONS and INPUT are put in; no INPUT: standard input */
};

#define INSTRUCTIONS "INSTRUCTIONS"
#define INPUT	     "INPUT"
#define SUFFIX	     ".trace"

/* Traditional din: "LABEL ADDRESS", 0 read, 2 fetch. A store is a read: TLBs write nothing back. */
static void write_din(struct feed *feed, const struct trace_key *key, bool store)
{
	const int label = key->stream == STREAM_FETCH ? 2 : 0;

	(void)store;
	fprintf(feed->out, "%d %" PRIx64 "\n", label, key->va);
	feed->left--;
}

/* 64 bytes an instruction; an access to data is one of an instruction where the last fetch was. */
static void write_champsim(struct feed *feed, const struct trace_key *key, bool store)
{
	uint64_t record[8] = { 0 };

	if (key->stream == STREAM_FETCH)
		feed->ip = key->va;
	else
		record[store ? 2 : 4] = key->va;
	record[0] = feed->ip;
	fwrite(record, sizeof(record), 1, feed->out);
	feed->n_instructions++;
	feed->left -= key->stream == STREAM_FETCH || feed->left == 1 ? 1 : 2;
}

static const struct peer peers[] = {
	{ "dineroIV",
	  write_din,
	  1,
	  { "dineroIV", "-l1-isize",  "256k", "-l1-ibsize", "4k", "-l1-iassoc", "64", "-l1-dsize",
	    "256k",	"-l1-dbsize", "4k",   "-l1-dassoc", "64", "-l2-usize",	"4m", "-l2-ubsize",
	    "4k",	"-l2-uassoc", "4",    "-informat",  "d",  NULL } },
	{ "champsim",
	  write_champsim,
	  10,
	  { "champsim", "-w", "0", "-i", INSTRUCTIONS, INPUT, NULL } },
};

enum { PEERS = sizeof(peers) / sizeof(peers[0]) };

const char *peer_name(unsigned index)
{
	return index < PEERS ? peers[index].program : NULL;
}

bool peer_installed(unsigned index)
{
	const char *path = getenv("PATH");
	char file[4096];

	while (path && *path) {
		const int n = (int)strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s/%s", n, path, peers[index].program);
		if (access(file, X_OK) == 0)
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

static void write_record(struct feed *feed, const struct peer *peer,
			 const struct trace_block *block, uint32_t i)
{
	const struct trace_key *key = &block->keys[block->key[i]];

	for (uint32_t k = 0; k < block->reads[i] && feed->left; k++)
		peer->write(feed, key, false);
	for (uint32_t k = 0; k < block->stores[i] && feed->left; k++)
		peer->write(feed, key, true);
}

static enum exit_status write_input(struct feed *feed, const struct peer *peer,
				    const struct trace_reader *trace, struct diag *diag)
{
	struct trace_block block = { 0 };
	enum exit_status status = STATUS_OK;

	for (uint64_t b = 0; status == STATUS_OK && feed->left && b < trace_info(trace)->blocks;
	     b++) {
		status = trace_read_block(trace, b, COLUMN_KEY | COLUMN_COUNTS, &block, diag);
		for (uint32_t i = 0; status == STATUS_OK && i < block.n_records; i++)
			write_record(feed, peer, &block, i);
	}
	trace_block_free(&block);
	return status;
}

/* Processor seconds of the peer's process. */
static enum exit_status run(const struct peer *peer, char *input, uint64_t n_instructions,
			    double *seconds, struct diag *diag)
{
	char number[24], *argv[24] = { NULL };
	posix_spawn_file_actions_t files;
	struct rusage usage;
	int wait_status = 0, error;
	pid_t pid;

	snprintf(number, sizeof(number), "%" PRIu64, n_instructions);
	for (unsigned i = 0; peer->argv[i]; i++)
		argv[i] = strcmp(peer->argv[i], INPUT) == 0	     ? input
			  : strcmp(peer->argv[i], INSTRUCTIONS) == 0 ? number
								     : (char *)peer->argv[i];
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, input, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	error = posix_spawnp(&pid, peer->program, &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (error)
		return diag_set(diag, STATUS_IO, "%s: %s", peer->program, strerror(error));
	if (wait4(pid, &wait_status, 0, &usage) != pid || wait_status != 0)
		return diag_set(diag, STATUS_IO, "%s: it failed (wait status %d)", peer->program,
				wait_status);
	*seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
	return STATUS_OK;
}

enum exit_status peer_run(unsigned index, const struct trace_reader *trace, uint64_t most,
			  uint64_t *accesses, double *rate, struct diag *diag)
{
	const struct peer *peer = &peers[index];
	const uint64_t wanted = most / peer->share;
	const char *folder = getenv("TMPDIR");
	struct feed feed = { .left = wanted };
	enum exit_status status;
	double seconds = 0;
	char input[4096];
	int fd;

	/* ChampSim unpacks names that end with gz or xz, as random ones may. */
	snprintf(input, sizeof(input), "%s/peer.XXXXXX" SUFFIX,
		 folder && *folder ? folder : P_tmpdir);
	fd = mkstemps(input, sizeof(SUFFIX) - 1);
	feed.out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!feed.out)
		return diag_set(diag, STATUS_IO, "%s: %s", input, strerror(errno));
	status = write_input(&feed, peer, trace, diag);
	if (fclose(feed.out) != 0 && status == STATUS_OK)
		status = diag_set(diag, STATUS_IO, "%s: %s", input, strerror(errno));
	if (status == STATUS_OK)
		status = run(peer, input, feed.n_instructions, &seconds, diag);
	unlink(input);
	*accesses = wanted - feed.left;
	*rate = seconds > 0 ? (double)*accesses / seconds : 0;
	return status;
}
