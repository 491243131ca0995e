#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The `translate` command against the naive translator: the committed cases, and many random ones.
set -eu
count=5000
[ -z "${TWOSTAGE_LONG:-}" ] || count=200000
cases=${TMPDIR:-/tmp}/translate-cases.txt
build-asan/tests/conform/test_cases --generate 1000 "$count" >"$cases"
cat tests/conform/cases/*.txt "$cases" | "$TWOSTAGE" translate --check - | tail -n 20
