# SPDX-License-Identifier: BSD-2-Clause
# make check-slurm: a sweep on a Slurm cluster of three nodes on this machine, killed, cancelled and resumed.

check-slurm: setup-slurm
	@+$(MAKE) --no-print-directory SETUP=no all
	@TWOSTAGE="$$(cd '$(B)' && pwd)/twostage" sh tests/slurm/live/check.sh

.PHONY: check-slurm
