/* SPDX-License-Identifier: BSD-2-Clause */
/* For slice.c: where the slices of a sweep lie. */
#ifndef TWOSTAGE_SWEEP_SLICE_PLAN_H
#define TWOSTAGE_SWEEP_SLICE_PLAN_H

/* DATABASE.slices; to be freed. NULL: out of memory. */
char *slice_plan_folder(const char *database);

#endif
