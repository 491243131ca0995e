#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Miss-ratio curves of the committed traces against replays.
set -eu
set --
for trace in $(awk '{ print $2 }' traces/SHA256SUMS); do
	case $trace in *.s2t) set -- "$@" "traces/${trace#\*}" ;; esac
done
build-asan/tests/repro/test_mrc "$@"
