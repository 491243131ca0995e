#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The programs that gcc and clang built without a warning (warnings were errors) are there and run.
set -eu
cd "$(dirname "$0")/.."
for b in build-gcc build-clang build-asan; do
	[ ! -e $b/failed ] || { echo "$b: the build failed; see above the tests"; exit 1; }
	[ -x $b/twostage ] || { echo "$b/twostage was not built"; exit 1; }
	grep -q -e '-Wconversion.*-Werror' $b/flags || { echo "$b was not built with -Werror"; exit 1; }
	$b/twostage --version >/dev/null
done
