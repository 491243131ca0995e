/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of `twostage map`: hosts, set-ups, scripts and snapshots. docs/kvm.md has the format. */
#ifndef TWOSTAGE_CLI_MAP_TEXT_H
#define TWOSTAGE_CLI_MAP_TEXT_H

#include "base/diag.h"
#include "cli/line_reader.h"
#include "os/kvm_mmu.h"

enum map_line { MAP_EOF, MAP_HOST, MAP_CASE, MAP_SNAP, MAP_OTHER };

/* A "name=..." line. `script` points into the reader's line. */
struct map_case {
	char name[128];
	struct kvm_vm_setup vm;
	struct kvm_slot_setup slot; /* without the user address */
	uint64_t skew;
	const char *script;
};

enum map_step_kind {
	MAP_STEP_END,
	MAP_STEP_ACCESS,
	MAP_STEP_LOG_ON,
	MAP_STEP_LOG_OFF,
	MAP_STEP_GET_LOG,
	MAP_STEP_CLEAR_LOG,
	MAP_STEP_DISCARD,
	MAP_STEP_COLLAPSE,
	MAP_STEP_SNAP,
};

struct map_step {
	enum map_step_kind kind;
	enum access_kind access;
	uint64_t offset, stride, count; /* clear log, discard: length in `stride` */
};

struct map_reader {
	struct line_reader line;
	char *work; /* the current line again, cut up */
};

/* Opens `path`, "-" for standard input. Close with map_close(), also after a failure. */
enum exit_status map_open(struct map_reader *reader, const char *path, struct diag *diag);
void map_close(struct map_reader *reader);

/*
 * Reads the next line; MAP_HOST fills *host (rule left alone), MAP_CASE *what. MAP_SNAP and
 * MAP_OTHER (blank or comment) are only in reader->line.text.
 */
enum exit_status map_next(struct map_reader *reader, enum map_line *kind, struct kvm_host *host,
			  struct map_case *what, struct diag *diag);

/*
 * The next step of a script for a slot of slot_bytes on `host`; *script moves behind it. What
 * discards, collapses or clears the log outside the slot is STATUS_BAD_INPUT; accesses may go
 * there.
 */
enum exit_status map_next_step(const struct map_reader *reader, const struct kvm_host *host,
			       uint64_t slot_bytes, const char **script, struct map_step *step,
			       struct diag *diag);

#endif
