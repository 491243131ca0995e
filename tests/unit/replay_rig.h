/* SPDX-License-Identifier: BSD-2-Clause */
/* Trace blocks made by hand, and their replay on a test machine. */
#ifndef TWOSTAGE_TESTS_REPLAY_RIG_H
#define TWOSTAGE_TESTS_REPLAY_RIG_H

#include "rig.h"
#include "run/replay.h"

enum { MAX_RECORDS = 4096, MAX_KEYS = 2048, MAX_EVENTS = 64 };

struct builder {
	struct trace_block block;
	struct trace_key keys[MAX_KEYS];
	struct trace_event events[MAX_EVENTS];
	uint16_t key[MAX_RECORDS];
	uint8_t first_store[MAX_RECORDS];
	uint64_t ordinal[MAX_RECORDS], store_ordinal[MAX_RECORDS];
};

struct builder *builder_make(void);

/* A run of loads (or fetches) of one page; `store`: ordinal of its first store, UINT64_MAX: none.
 */
void add_record(struct builder *b, struct trace_key key, uint64_t ordinal, uint64_t store);

/* Before the next record; event.before is set. */
void add_event(struct builder *b, struct trace_event event);

/* Data of vCPU 0 in ASID 1 of VM 0. */
struct trace_key data_key(uint64_t va);

struct session {
	struct rig *rig;
	struct replay replay;
	struct diag diag;
};

struct session *session_make(const char *settings, uint32_t vcpus, uint32_t vms,
			     enum trace_granularity granularity);
void session_destroy(struct session *s);

/* The whole replay of one block; the statistics are final. */
struct stats session_run(struct session *s, const struct builder *b);

void assert_same(const struct stats *a, const struct stats *b, const char *what);

#endif
