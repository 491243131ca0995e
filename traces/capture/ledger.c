/* SPDX-License-Identifier: BSD-2-Clause */
/* What vCPUs and writer share: segments, epochs, events, and who may still skip or record. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"

enum {
	SKIP_SHARE = 1 << 20,	/* accesses that a vCPU skips between two turns */
	RECORD_SHARE = 1 << 22, /* accesses that a vCPU records at most in one segment */
	SEGMENTS_IN_FLIGHT = 64,
	SEGMENTS_IN_EPOCH = 16, /* more would make the merge slow */
	WAIT_FOR_ROOM_MS = 100,
	WAIT_FOR_SEGMENTS_MS = 1000,
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct timespec after_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void out_of_memory(void)
{
	fprintf(capture.messages, "capture: error: out of memory\n");
	_exit(STATUS_INTERNAL);
}

/*
 * Under the lock, which is given up while waiting. The writer may itself be waiting for a vCPU
 * that QEMU keeps from running until this one goes on: so the wait has an end, and then memory
 * grows instead.
 */
static struct segment *take_segment(void)
{
	struct segment *s;

	if (!capture.spare && capture.n_segments >= SEGMENTS_IN_FLIGHT) {
		const struct timespec until = after_ms(WAIT_FOR_ROOM_MS);

		while (!capture.spare &&
		       pthread_cond_timedwait(&capture.room, &capture.lock, &until) == 0)
			;
	}
	s = capture.spare;
	if (s) {
		capture.spare = s->next;
	} else {
		s = malloc(sizeof(*s));
		if (!s)
			out_of_memory();
		capture.n_segments++;
	}
	return s;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Under the lock; returns its number. */
static uint64_t new_epoch(void)
{
	capture.n_in_epoch = 0;
	return atomic_fetch_add(&capture.epoch, 1) + 1;
}

/* Under the lock. */
static void open_segment(struct vcpu *v, struct segment *s)
{
	s->next = NULL;
	s->epoch = atomic_load(&capture.epoch);
	s->sequence = capture.sequence++;
	s->start_ns = now_ns();
	s->vcpu = v->index;
	s->n_runs = 0;
	capture.n_open++;
	atomic_store(&capture.started, true);
	v->segment = s;
	v->epoch = s->epoch;
	v->pieces = 0;
	v->mode = MODE_RECORDING;
	v->left = RECORD_SHARE;
	if (capture.limit) {
		v->left = least(RECORD_SHARE, (capture.limit_left - 1) / capture.n_vcpus + 1);
		capture.limit_left -= v->left;
	}
}

/*
 * Under the lock, which is given up while waiting: other vCPUs may still have a part of the limit
 * that they will not use. They give it back at their next access. True: nothing is left.
 */
static bool limit_is_reached(void)
{
	const struct timespec until = after_ms(WAIT_FOR_SEGMENTS_MS);
	bool in_time = true;

	while (capture.limit && capture.limit_left == 0 && capture.n_open && in_time) {
		new_epoch();
		in_time = pthread_cond_timedwait(&capture.room, &capture.lock, &until) == 0;
	}
	return capture.limit && capture.limit_left == 0;
}

void ledger_open(struct vcpu *v)
{
	struct segment *s = NULL;
	bool at_end = false;

	pthread_mutex_lock(&capture.lock);
	if (!capture.skip_left && !capture.finishing) {
		s = take_segment();
		at_end = limit_is_reached();
	}
	/* Both may have waited: what they found is checked again. */
	if (capture.finishing) {
		v->mode = MODE_OFF;
		v->left = UINT64_MAX;
		at_end = false;
	} else if (capture.skip_left) {
		v->mode = MODE_SKIPPING;
		v->left = least(SKIP_SHARE, capture.skip_left);
		capture.skip_left -= v->left;
	} else if (!at_end) {
		open_segment(v, s);
		s = NULL;
	}
	if (s) {
		s->next = capture.spare;
		capture.spare = s;
	}
	pthread_mutex_unlock(&capture.lock);
	if (at_end)
		ledger_end();
}

/* Under the lock. */
static void close_locked(struct vcpu *v)
{
	struct segment *s = v->segment;

	if (!s)
		return;
	v->segment = NULL;
	v->mode = MODE_PARKED;
	if (capture.sealed) {
		free(s);
		return;
	}
	s->end_ns = now_ns();
	s->pieces = v->pieces;
	if (s->n_runs)
		s->runs[s->n_runs - 1].instructions += v->begun;
	v->begun = 0;
	if (capture.limit)
		capture.limit_left += v->left;
	*capture.closed_end = s;
	capture.closed_end = &s->next;
	capture.n_open--;
	if (++capture.n_in_epoch >= SEGMENTS_IN_EPOCH)
		new_epoch();
	pthread_cond_broadcast(&capture.room);
}

void ledger_close(struct vcpu *v, enum ledger_close close)
{
	pthread_mutex_lock(&capture.lock);
	close_locked(v);
	if (close == CLOSE_NEW_EPOCH)
		new_epoch();
	pthread_cond_signal(&capture.work);
	pthread_mutex_unlock(&capture.lock);
}

void ledger_event(struct vcpu *v, const struct trace_event *event)
{
	if (!atomic_load(&capture.started) || v->mode == MODE_OFF)
		return;
	v->fetch_unit = v->data_unit = NO_UNIT;
	pthread_mutex_lock(&capture.lock);
	if (v->segment) {
		close_locked(v);
		v->left = 0;
	}
	if (capture.n_events == capture.max_events) {
		capture.max_events = capture.max_events ? 2 * capture.max_events : 256;
		capture.events =
			realloc(capture.events, capture.max_events * sizeof(*capture.events));
		if (!capture.events)
			out_of_memory();
	}
	capture.events[capture.n_events++] = (struct pending_event){
		.epoch = new_epoch(),
		.event = *event,
	};
	pthread_cond_signal(&capture.work);
	pthread_mutex_unlock(&capture.lock);
}

static void summary(void)
{
	const struct trace_totals *t = &capture.info.totals;
	const uint64_t unread = atomic_load(&capture.unread);
	uint64_t not_skipped = capture.skip_left;

	for (const struct vcpu *v = capture.vcpus; v; v = v->next)
		if (v->mode == MODE_SKIPPING)
			not_skipped += v->interrupted ? v->kept : v->left;
	fprintf(capture.messages,
		"capture: %s: %llu accesses (%llu fetches, %llu loads, %llu stores), %llu records,"
		" %llu events, %llu skipped\n",
		capture.path, (unsigned long long)trace_accesses(t), (unsigned long long)t->fetches,
		(unsigned long long)t->loads, (unsigned long long)t->stores,
		(unsigned long long)t->records, (unsigned long long)t->events,
		(unsigned long long)(capture.skip - not_skipped));
	if (unread)
		fprintf(capture.messages,
			"capture: warning: %llu DC ZVA, TLBI or register writes are not in the "
			"trace:"
			" this QEMU does not show their operands\n",
			(unsigned long long)unread);
}

/* Under the lock. vCPUs that still run close their segments at their next access. */
static void await_segments(enum ledger_vcpus vcpus)
{
	const struct timespec until = after_ms(WAIT_FOR_SEGMENTS_MS);

	if (vcpus == VCPUS_STOPPED)
		for (struct vcpu *v = capture.vcpus; v; v = v->next)
			close_locked(v);
	while (capture.n_open && pthread_cond_timedwait(&capture.room, &capture.lock, &until) == 0)
		;
	capture.sealed = true;
}

int ledger_finish(enum ledger_vcpus vcpus)
{
	bool first;

	pthread_mutex_lock(&capture.lock);
	first = !capture.finishing;
	capture.finishing = true;
	if (first) {
		new_epoch();
		await_segments(vcpus);
	}
	pthread_cond_signal(&capture.work);
	while (!capture.written)
		pthread_cond_wait(&capture.done, &capture.lock);
	pthread_mutex_unlock(&capture.lock);
	if (first)
		summary();
	return STATUS_OK;
}

void ledger_disown(void)
{
	pthread_mutex_init(&capture.lock, NULL);
	capture.disowned = capture.finishing = capture.sealed = true;
	for (struct vcpu *v = capture.vcpus; v; v = v->next) {
		v->segment = NULL;
		v->mode = MODE_OFF;
		v->special = 0;
		v->interrupted = false;
		v->left = UINT64_MAX;
	}
}

static void detached(plugin_id_t id)
{
	(void)id;
}

void ledger_end(void)
{
	int status = ledger_finish(VCPUS_RUN);

	if (capture.after == AFTER_EXIT)
		_exit(status);
	if (capture.after == AFTER_STOP && !guest_stop())
		fprintf(capture.messages,
			"capture: warning: this QEMU does not let a plug-in stop the machine\n");
	qemu_plugin_reset(capture.id, detached);
}
