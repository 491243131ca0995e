/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Real KVM asked for its stage-2 tables (docs/conform.md): a machine under QEMU whose memory this
 * program shares and whose system registers it reads through the gdb stub. Shares no code with
 * sim/.
 */
#ifndef KVM_LIVE_H
#define KVM_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* What the machine is made of; paths and texts are the caller's. */
struct machine_setup {
	const char *qemu, *cpu, *kernel, *vmm;
	uint64_t ram_bytes;
};

struct machine {
	pid_t pid;
	int to_console, from_console; /* pipes to the PL011 */
	int gdb;		      /* socket of the gdb stub */
	uint8_t *ram;		      /* shared with QEMU */
	uint64_t ram_bytes;
	char text[4096]; /* read from the console, not taken yet */
	size_t text_bytes;
	uint64_t deadline_ms;
};

/* Registers that tell where the tables of the running guest are and what they mean. */
struct stage2_regs {
	uint64_t hcr, vtcr, vttbr;
};

/* ---- machine.c ---- */

/* Boots; false after a message on stderr. machine_stop() in either case; QEMU never outlives us. */
bool machine_start(struct machine *m, const struct machine_setup *setup, unsigned timeout_s);
void machine_stop(struct machine *m);
/* The next line of the VMM behind its '@'. Others are shown on stderr. NULL at the end. */
char *machine_line(struct machine *m, char *line, size_t bytes);
bool machine_send(const struct machine *m, const char *line);
/* Waits until `fd` has something; false when the time is over. */
bool machine_await(const struct machine *m, int fd);
/* The word of memory at a physical address; NULL where there is no RAM. */
uint64_t *machine_word(const struct machine *m, uint64_t pa);

/* ---- initramfs.c ---- */

/* Writes an archive (newc) with `vmm` as /init and the folders that it mounts on. */
bool initramfs_write(FILE *out, const char *vmm);

/* ---- gdb.c ---- */

struct gdb {
	const struct machine *machine;
	unsigned hcr, vtcr, vttbr; /* numbers of the registers */
	char *packet;
	size_t packet_room;
};

/* Learns the numbers and lets the machine, which QEMU does not start by itself, run. */
bool gdb_open(struct gdb *gdb, const struct machine *m);
void gdb_close(struct gdb *gdb);
/* Stops the machine and reads the registers; false after a message. */
bool gdb_stop(struct gdb *gdb, struct stage2_regs *regs);
bool gdb_continue(struct gdb *gdb);

/* ---- tables.c ---- */

#define LEVELS	  4
#define KINDS_MAX 64

struct leaf_kind {
	int level;
	unsigned s2ap, xn, af, memattr, sh;
	uint64_t count;
};

struct tables {
	unsigned page_bits, ipa_bits;
	int start_level;
	unsigned root_tables;
	bool ds; /* descriptors with 52-bit addresses, without shareability */
	uint64_t root;
	uint64_t count[LEVELS], leaves[LEVELS];
	struct leaf_kind kind[KINDS_MAX];
	unsigned kinds;
};

/* Where the roots are; false when the registers make no sense. */
bool tables_open(struct tables *t, const struct stage2_regs *regs);
/* Counts what maps [base, base + bytes); false when a table lies outside of RAM. */
bool tables_count(struct tables *t, const struct machine *m, uint64_t base, uint64_t bytes);
/* The output address of `ipa`; false when it is not mapped. */
bool tables_translate(const struct tables *t, const struct machine *m, uint64_t ipa, uint64_t *pa);
/* A "snap" line of `twostage map`. */
void tables_print(FILE *out, const struct tables *t, unsigned number, uint64_t faults);

/* ---- random.c ---- */

struct random_host {
	uint64_t state;
	uint64_t page_bytes;
	unsigned ipa_limit_bits;
	bool eager_split; /* KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE: Linux 6.5 on */
};

/* A "name=" line. */
void random_setup(struct random_host *r, unsigned number, char *line, size_t line_bytes);

#endif
