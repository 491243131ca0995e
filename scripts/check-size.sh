#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A source file has at most 500 lines of at most 100 columns (tabs of 8), and names no folder of one machine.
set -eu
cd "$(dirname "$0")/.."
bad=0
for f in $(git ls-files '*.c' '*.h' '*.cpp' '*.sh' '*.gp' Makefile); do
	lines=$(wc -l <"$f")
	if [ "$lines" -gt 500 ]; then
		echo "$f: $lines lines; a file has at most 500"
		bad=1
	fi
done
for f in $(git ls-files '*.c' '*.h' '*.cpp'); do
	if expand -t 8 "$f" | LC_ALL=C.UTF-8 awk -v f="$f" 'length($0) > 100 { print f ":" NR ": " length($0) " columns; a line has at most 100"; bad = 1 } END { exit !bad }'; then
		bad=1
	fi
done
if git grep -nE '(^|[^A-Za-z0-9_.])/(work|root|home|tmp/w)/' -- '*.c' '*.h' '*.sh' '*.md' '*.yaml' '*.recipe' \
	'*.gp' Makefile ':!scripts/check-size.sh'; then
	echo "a path of one machine stands above"
	bad=1
fi
exit $bad
