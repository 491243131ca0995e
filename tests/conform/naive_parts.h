/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the naive translator share: parameters of a stage, memory attributes. */
#ifndef TWOSTAGE_CONFORM_NAIVE_PARTS_H
#define TWOSTAGE_CONFORM_NAIVE_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "naive.h"

static inline uint64_t field(uint64_t value, unsigned high, unsigned low)
{
	unsigned width = high - low + 1;

	return width == 64 ? value : (value >> low) & ((UINT64_C(1) << width) - 1);
}

static inline bool bit(uint64_t value, unsigned n)
{
	return (value >> n) & 1;
}

/* The parameters of one stage. */
struct params {
	int stage;
	bool el20;		  /* the EL2&0 regime: one stage */
	unsigned granule, stride; /* bits */
	unsigned txsz, ps;
	bool ds, ha, hd;
	uint64_t ttbr;
	unsigned sh; /* of the walk; with ds of the leaf as well */
	/* stage 1 */
	bool tbi, tbid, epd, e0pd, hpd, wxn, epan;
	uint64_t mair, sctlr;
	/* stage 2 */
	unsigned sl; /* SL2:SL0 */
	bool ptw, fwb;
};

/* naive_params.c: what the PE implements, decoded registers, and the shape of tables. */
unsigned naive_pa_max(const struct naive_cpu *cpu);
bool naive_have_lpa(const struct naive_cpu *cpu);
struct params naive_s1_params(const struct naive_cpu *cpu, const struct naive_regs *r, bool el20,
			      uint64_t va);
struct params naive_s2_params(const struct naive_cpu *cpu, const struct naive_regs *r);
bool naive_oa_out_of_range(const struct naive_cpu *cpu, const struct params *p, uint64_t address);
bool naive_settle_txsz(const struct naive_cpu *cpu, struct params *p);
unsigned naive_level_low(const struct params *p, int level);
int naive_start_level(const struct params *p);
bool naive_sl_invalid(const struct naive_cpu *cpu, const struct params *p);
bool naive_sl_inconsistent(const struct params *p);
uint64_t naive_table_base(const struct naive_cpu *cpu, const struct params *p);

/* naive_attrs.c */
enum cacheability { NC, WT, WB };

struct attrs {
	bool device;
	unsigned device_type; /* 0 nGnRnE, 1 nGnRE, 2 nGRE, 3 GRE */
	enum cacheability outer, inner;
	unsigned outer_hints, inner_hints; /* bit 1 read-allocate, bit 0 write-allocate */
	bool outer_transient, inner_transient;
	unsigned sh;
};

/* A MAIR_ELx byte with the shareability of its descriptor. */
struct attrs attrs_of_mair(unsigned byte, unsigned sh);

/* Stage 2's say: its leaf descriptor's attributes combined with those of stage 1. */
struct attrs attrs_stage2(uint64_t hcr_el2, const struct params *p, uint64_t desc, struct attrs s1,
			  bool is_fetch);

/* As PAR_EL1 shows them. */
uint8_t attrs_byte(const struct attrs *a);
uint8_t attrs_sh(const struct attrs *a); /* EffectiveShareability */

#endif
