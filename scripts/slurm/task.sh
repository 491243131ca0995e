#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# task.sh PROGRAM SPEC DATABASE SLICES - what each task of `twostage sweep --slurm` runs: its slice of the sweep.
# The copy in DATABASE.slices is made once and then kept: put there what your site needs (module load ...).
set -eu
exec "$1" sweep "$2" -o "$3" --slice "${SLURM_ARRAY_TASK_ID:?}/$4" --jobs "${SLURM_CPUS_PER_TASK:-1}"
