/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the capture plug-in (docs/capture.md).
 *
 * Each vCPU collapses its own accesses into runs, in a segment that nobody else touches. A full
 * segment goes to the writer thread, which puts the segments of all vCPUs into one order and
 * writes the trace. Locks are taken once a segment, never once an access.
 *
 * Epochs make the order sound: closing a full segment, and each event (TLBI, unmap, context
 * switch), begins a new epoch; a vCPU that sees a new epoch closes its segment before it records
 * its next access. All of an epoch precedes all of the next.
 */
#ifndef TWOSTAGE_CAPTURE_H
#define TWOSTAGE_CAPTURE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "qemu.h"
#include "trace/trace.h"

enum {
	SEGMENT_RUNS = 8192,
	SEGMENT_RESERVE = 4, /* more runs than one access can open */
	MAX_VCPUS = 65536,
	PAGE_BITS = 12,
	ZVA_BYTES = 64, /* DC ZVA block of every core in models/ */
};
#define NO_UNIT UINT64_MAX

struct segment {
	struct segment *next;
	uint64_t epoch;
	uint64_t sequence; /* of its opening, over all vCPUs */
	uint64_t start_ns,
		end_ns;	 /* host's monotonic clock: only to order vCPUs among each other */
	uint64_t pieces; /* ordinals used; those in `runs` count from 0 */
	uint16_t vcpu;
	uint32_t n_runs;
	struct trace_run runs[SEGMENT_RUNS];
};

enum vcpu_mode {
	MODE_PARKED = 0, /* asks the ledger at its next access */
	MODE_SKIPPING,
	MODE_RECORDING,
	MODE_OFF,
};

/* One vCPU; touched by its own thread only, except while it cannot run. */
struct vcpu {
	uint64_t left; /* accesses until it must take a turn with the ledger */
	uint64_t epoch;
	struct segment *segment; /* only in MODE_RECORDING */
	uint64_t pieces;
	uint32_t begun;			/* instructions since the newest run was opened */
	uint64_t fetch_unit, data_unit; /* address >> unit bits of the open runs, or NO_UNIT */
	struct trace_run *fetch, *data;
	uint16_t index, asid;
	uint8_t el;
	uint8_t mode;	  /* enum vcpu_mode */
	bool interrupted; /* `left` was set to 0 early; `kept` has the rest */
	uint32_t special; /* instruction whose operand is read at the next one, or 0 */
	uint64_t kept;
	uint64_t ttbr[2], tcr;
	void *registers;       /* X0..X30 of the vCPU inside QEMU, or NULL */
	uint64_t arguments[5]; /* of the system call under way */
	bool introduced;       /* its first context was recorded */
	struct vcpu *next;     /* of all vCPUs seen */
} __attribute__((aligned(128)));

enum after_limit { AFTER_EXIT, AFTER_RUN, AFTER_STOP };

struct capture {
	/* Options; set before the guest runs. */
	const char *path;
	const char *provenance_path;
	enum trace_granularity granularity;
	uint64_t skip, limit; /* accesses; limit 0: none */
	int level;	      /* of zstd; 0: the writer's default */
	bool marker;	      /* wait for the guest's start mark */
	enum after_limit after;
	plugin_id_t id;
	bool system;
	char *provenance;
	bool disowned; /* this is a child that the guest forked */

	/* Shared by vCPUs and writer. */
	pthread_mutex_t lock;
	pthread_cond_t work, room, done;
	_Atomic uint64_t epoch;
	_Atomic bool started; /* something was recorded */
	uint64_t sequence;
	uint64_t skip_left, limit_left;
	struct segment *closed, **closed_end;
	struct segment *spare;
	unsigned n_segments;
	struct pending_event *events;
	size_t n_events, max_events;
	unsigned n_open;     /* segments open */
	unsigned n_in_epoch; /* segments closed since the epoch began */
	struct vcpu *vcpus;  /* all seen */
	unsigned n_vcpus;
	bool finishing; /* no segment is opened any more */
	bool sealed;	/* none is accepted any more */
	bool ready, written;

	/* Of the writer thread; read when `written`. */
	pthread_t thread;
	struct trace_info info;
	struct diag failure;
	FILE *messages;
	_Atomic uint64_t unread; /* specials whose operand could not be read */
};

struct pending_event {
	uint64_t epoch; /* before all records of it */
	struct trace_event event;
};

extern struct capture capture;
extern struct vcpu *capture_vcpus[MAX_VCPUS];

/* ---- options.c ---- */
/* Fills the options of `capture`; false: message on stderr. */
bool options_parse(int argc, char **argv);

/* ---- vcpu.c: the hot path ---- */
void vcpu_prepare(void);
void vcpu_fetch(unsigned index, void *pc);
void vcpu_data(unsigned index, plugin_meminfo_t info, uint64_t va, void *unused);
/* `insn` was begun: look at its register operand when the next one begins. */
void vcpu_special(unsigned index, void *insn);
/* While waiting for the start mark: the operand of an instruction begun earlier, if there is one.
 */
void vcpu_watch(unsigned index, void *unused);
/* Gives up its segment before it may block. */
void vcpu_park(unsigned index);
struct vcpu *vcpu_get(unsigned index);
/* An access that QEMU does not report. */
void vcpu_store(unsigned index, uint64_t va, unsigned bytes);

/* ---- ledger.c: what vCPUs and writer share ---- */
/* Gives a parked vCPU its next share: accesses to skip, a segment to fill, or nothing any more. */
void ledger_open(struct vcpu *v);
enum ledger_close { CLOSE_KEEP_EPOCH, CLOSE_NEW_EPOCH };
void ledger_close(struct vcpu *v, enum ledger_close close);
/* Everything recorded after this call comes after `event`. */
void ledger_event(struct vcpu *v, const struct trace_event *event);
/* Whether vCPUs may still be inside our callbacks. */
enum ledger_vcpus { VCPUS_RUN, VCPUS_STOPPED };
/* Stops recording, waits for the writer; returns the exit status of the capture. */
int ledger_finish(enum ledger_vcpus vcpus);
/* In the child of a fork: records nothing and touches no file. */
void ledger_disown(void);
/* A vCPU has seen the limit or the stop mark. Returns only if the guest is to run on. */
void ledger_end(void);

/* ---- writer.c: one thread that orders and writes ---- */
bool writer_start(void); /* false: message on stderr */

/* ---- merge.c ---- */
/*
 * Writes the segments (a list, any order) and events of some whole epochs. `*ordinal` is the
 * next of the trace. Segments are left to the caller.
 */
enum exit_status merge_write(struct trace_writer *writer, struct segment *segments,
			     const struct pending_event *events, size_t n_events, uint64_t *ordinal,
			     struct diag *diag);

/* ---- guest.c: registers and translations of the guest, where this QEMU lets us ask ---- */
void guest_attach(void);
/* IPA of va's page as the guest's tables have it now, or TRACE_IPA_UNKNOWN. */
uint64_t guest_ipa(const struct vcpu *v, uint64_t va);
void guest_special(struct vcpu *v, uint32_t insn);
/* Has QEMU stop the machine; false: this QEMU does not let us. */
bool guest_stop(void);
/* Records the ASID and tables of a vCPU that starts to record. */
void guest_introduce(struct vcpu *v);

#endif
