#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# clang-format (14, as Debian 12 has it) would change nothing.
set -eu
cd "$(dirname "$0")/.."
command -v clang-format >/dev/null || { echo "clang-format is missing"; exit 1; }
git ls-files '*.c' '*.h' '*.cpp' | xargs clang-format --dry-run -Werror
