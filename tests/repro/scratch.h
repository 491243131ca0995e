/* SPDX-License-Identifier: BSD-2-Clause */
/* A private folder for the traces that a test writes. */
#ifndef TWOSTAGE_REPRO_SCRATCH_H
#define TWOSTAGE_REPRO_SCRATCH_H

/* cmocka's group set-up and tear-down; the latter removes the folder and what is in it. */
int scratch_create(void **state);
int scratch_remove(void **state);

/* A path in the folder; holds until the eighth call after this one. */
const char *scratch_path(const char *name);

/*
 * main() of a test of random traces (no arguments), or of those named as arguments: runs `random`
 * or `named` with a folder; the latter finds the names in scratch_files, which ends with NULL.
 */
extern char **scratch_files;
int scratch_main(int argc, char **argv, void (*random)(void **state), void (*named)(void **state));

#endif
