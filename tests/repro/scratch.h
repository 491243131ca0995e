/* SPDX-License-Identifier: BSD-2-Clause */
/* A private folder for the traces that a test writes. */
#ifndef TWOSTAGE_REPRO_SCRATCH_H
#define TWOSTAGE_REPRO_SCRATCH_H

/* cmocka's group set-up and tear-down; the latter removes the folder and what is in it. */
int scratch_create(void **state);
int scratch_remove(void **state);

/* A path in the folder; holds until the eighth call after this one. */
const char *scratch_path(const char *name);

#endif
