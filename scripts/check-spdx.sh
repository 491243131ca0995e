#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Each source file names its licence in its first three lines.
set -eu
cd "$(dirname "$0")/.."
bad=0
for f in $(git ls-files '*.c' '*.h' '*.cpp' '*.def' '*.sh' '*.S' '*.gp' '*.yaml' '*.recipe' '*.mk' '*.sql' Makefile); do
	[ -s "$f" ] || continue
	case $f in *\ *) echo "$f: blanks in a file name"; bad=1 ;; esac
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: BSD-2-Clause' || {
		echo "$f: no line 'SPDX-License-Identifier: BSD-2-Clause' at its top"
		bad=1
	}
done
exit $bad
