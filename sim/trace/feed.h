/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A foreign trace whose records are made while it is read, for who wants them once and in order:
 * no native trace in between. The records, and their blocks, are those that trace_open_any() would
 * give.
 */
#ifndef TWOSTAGE_TRACE_FEED_H
#define TWOSTAGE_TRACE_FEED_H

#include "trace/trace.h"

struct trace_feed;

/*
 * Open any trace as trace_open_any() does: a foreign one in a file as *feed, which is NULL else,
 * and others as *reader. One that is read in order alone needs no more; what cannot be read twice
 * (a pipe) is no feed.
 */
enum exit_status trace_open_once(const char *path, const char *from, bool salvage,
				 enum trace_granularity granularity, struct trace_reader **reader,
				 struct trace_feed **feed, struct diag *diag);
void trace_feed_close(struct trace_feed *feed);

/*
 * The columns that trace_feed_next() gives; before its first call only, and after that of
 * trace_feed_prime() if it has to be. Else KEY.
 */
enum exit_status trace_feed_want(struct trace_feed *feed, unsigned columns, struct diag *diag);

/* From now on info.content_digest is kept: XXH3-64 of the bytes taken, decompressed. Before the
 * first block only. */
enum exit_status trace_feed_want_digest(struct trace_feed *feed, struct diag *diag);

/*
 * What has been read so far says; of all of it once there are no more blocks, and, as for
 * vcpus, vms, va_bits, ipa_bits and has_ipa, since trace_feed_learn(). The pointer stays good.
 */
const struct trace_info *trace_feed_info(const struct trace_feed *feed);

/* About how many accesses the whole trace has. */
uint64_t trace_feed_estimate(const struct trace_feed *feed);

/* Make the first block, so that its info is known; trace_feed_next() gives it. */
enum exit_status trace_feed_prime(struct trace_feed *feed, struct diag *diag);

/*
 * The next block, which holds until the second next one is read; *more is false if there is none.
 * Bad input is refused as by trace_open_any(); with `salvage` it is the end, and info.complete is
 * false.
 */
enum exit_status trace_feed_next(struct trace_feed *feed, struct trace_block *block, bool *more,
				 struct diag *diag);

/* What was wrong at the end of a trace that was salvaged; else its status is STATUS_OK. */
const struct diag *trace_feed_damage(const struct trace_feed *feed);

/* The block read last (back 0) or the one before it (1) once more, with its key, kinds and
 * ordinals. false: there is none. */
bool trace_feed_again(struct trace_feed *feed, unsigned back, struct trace_block *block);

/* Read on to the end, for what the whole says, and go back to the start. */
enum exit_status trace_feed_learn(struct trace_feed *feed, struct diag *diag);

#endif
