/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writer thread. It blocks all signals: those of the guest go to the guest's threads, and a
 * file size limit (SIGXFSZ) becomes an error of write() like a full disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "trace/s2t.h"

enum { FIRST_DESCRIPTOR = 900 };

/* One batch: all segments and events of the epochs that nobody can add to any more. */
struct batch {
	struct segment *segments;
	struct pending_event *events;
	size_t n_events;
};

/* Under the lock: the first epoch that is not complete. */
static uint64_t complete_below(void)
{
	uint64_t below = atomic_load(&capture.epoch);

	if (capture.sealed)
		return UINT64_MAX;
	for (const struct vcpu *v = capture.vcpus; v; v = v->next)
		if (v->segment && v->segment->epoch < below)
			below = v->segment->epoch;
	return below;
}

/* Under the lock. False: nothing to do yet. */
static bool take_batch(struct batch *batch)
{
	const uint64_t below = complete_below();
	struct segment **link = &capture.closed, **taken_end = &batch->segments;
	size_t n = 0;

	*batch = (struct batch){ 0 };
	while (*link) {
		struct segment *s = *link;

		if (s->epoch >= below) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		s->next = NULL;
		*taken_end = s;
		taken_end = &s->next;
	}
	capture.closed_end = link;
	while (n < capture.n_events && capture.events[n].epoch < below)
		n++;
	if (n) {
		batch->events = malloc(n * sizeof(*batch->events));
		if (!batch->events) {
			fprintf(capture.messages, "capture: error: out of memory\n");
			_exit(STATUS_INTERNAL);
		}
		memcpy(batch->events, capture.events, n * sizeof(*batch->events));
		batch->n_events = n;
		capture.n_events -= n;
		memmove(capture.events, capture.events + n,
			capture.n_events * sizeof(*capture.events));
	}
	return batch->segments || n;
}

static void give_back(struct batch *batch)
{
	pthread_mutex_lock(&capture.lock);
	while (batch->segments) {
		struct segment *s = batch->segments;

		batch->segments = s->next;
		s->next = capture.spare;
		capture.spare = s;
	}
	pthread_cond_broadcast(&capture.room);
	pthread_mutex_unlock(&capture.lock);
	free(batch->events);
}

/* The capture is lost from here on; what was written stays. Ends the guest. */
static void fail(const struct diag *diag)
{
	fprintf(capture.messages, "capture: error: %s\n", diag->text);
	fprintf(capture.messages,
		"capture: the blocks before it can be read: twostage trace info --salvage\n");
	_exit((int)diag->status);
}

static void announce(void)
{
	pthread_mutex_lock(&capture.lock);
	capture.ready = true;
	pthread_cond_broadcast(&capture.done);
	pthread_mutex_unlock(&capture.lock);
}

static void write_batches(struct trace_writer *writer)
{
	uint64_t ordinal = 0;
	struct batch batch;

	for (;;) {
		struct diag diag = DIAG_INIT;
		bool work;

		pthread_mutex_lock(&capture.lock);
		while (!(work = take_batch(&batch)) && !capture.sealed)
			pthread_cond_wait(&capture.work, &capture.lock);
		pthread_mutex_unlock(&capture.lock);
		if (!work)
			return;
		if (merge_write(writer, batch.segments, batch.events, batch.n_events, &ordinal,
				&diag) != STATUS_OK)
			fail(&diag);
		give_back(&batch);
	}
}

/* Far from the descriptors that the guest opens and closes as its own. */
static int out_of_reach(int fd)
{
	int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR);

	if (moved < 0)
		return fd;
	close(fd);
	return moved;
}

static struct trace_writer *create_trace(const struct trace_writer_options *options)
{
	int fd = open(capture.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0) {
		diag_set(&capture.failure, STATUS_IO, "%s: cannot create: %s", capture.path,
			 strerror(errno));
		return NULL;
	}
	return trace_create_fd(out_of_reach(fd), capture.path, options, &capture.failure);
}

/* Messages go where stderr went at the start: a guest may close its own. */
static void keep_stderr(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR);

	if (fd >= 0)
		capture.messages = fdopen(fd, "w");
	if (!capture.messages)
		capture.messages = stderr;
	setvbuf(capture.messages, NULL, _IOLBF, 0);
}

static void *writer_main(void *unused)
{
	const struct trace_writer_options options = {
		.granularity = capture.granularity,
		.zstd_level = capture.level,
		.provenance = capture.provenance,
	};
	struct trace_writer *writer = create_trace(&options);
	struct diag diag = DIAG_INIT;

	(void)unused;
	announce();
	if (!writer)
		return NULL;
	write_batches(writer);
	if (trace_finish(writer, &capture.info, &diag) != STATUS_OK)
		fail(&diag);
	pthread_mutex_lock(&capture.lock);
	capture.written = true;
	pthread_cond_broadcast(&capture.done);
	pthread_mutex_unlock(&capture.lock);
	return NULL;
}

bool writer_start(void)
{
	sigset_t all, before;
	int error;

	keep_stderr();
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&capture.thread, NULL, writer_main, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		fprintf(stderr, "capture: error: cannot start a thread: %s\n", strerror(error));
		return false;
	}
	pthread_mutex_lock(&capture.lock);
	while (!capture.ready)
		pthread_cond_wait(&capture.done, &capture.lock);
	pthread_mutex_unlock(&capture.lock);
	if (capture.failure.status != STATUS_OK)
		fprintf(stderr, "capture: error: %s\n", capture.failure.text);
	return capture.failure.status == STATUS_OK;
}
