/* SPDX-License-Identifier: BSD-2-Clause */
/* Made-up native traces that get past their checksums. */
#ifndef TWOSTAGE_FUZZ_S2T_REPAIR_H
#define TWOSTAGE_FUZZ_S2T_REPAIR_H

#include <stddef.h>
#include <stdint.h>

/* Make right, in place, what checksums there are in the n bytes of a trace file. */
void s2t_repair(uint8_t *p, size_t n);

#endif
