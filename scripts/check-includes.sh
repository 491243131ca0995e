#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Who may include whom: cli -> {sweep, mrc} -> results -> run -> config -> {trace, os}, run -> timing,
# {os, timing} -> mmu -> mem -> arch; base by all but arch.
# A plug-in includes its room's header and arch (base is for importers: they report bad input).
set -eu
cd "$(dirname "$0")/.."
git ls-files 'sim/*.c' 'sim/*.h' 'sim/*.cpp' 'sim/*.def' | xargs awk '
function allow(room, list,   i, n, a) {
	n = split(list, a, " ")
	for (i = 1; i <= n; i++)
		ok[room, a[i]] = 1
}
BEGIN {
	allow("base", "base")
	allow("arch", "arch")
	allow("mem", "mem arch base")
	allow("mmu", "mmu mem arch base")
	allow("os", "os mmu mem arch base")
	allow("trace", "trace arch base")
	allow("timing", "timing mmu mem arch base")
	below = "trace os mmu mem arch base"
	allow("config", "config " below)
	allow("run", "run config timing " below)
	allow("results", "results run config timing " below)
	allow("mrc", "mrc run config timing " below)
	allow("sweep", "sweep results run config timing " below)
	allow("cli", "cli sweep mrc results run config timing " below)
	# plug-in rooms: the one header of the room that a plug-in may see
	plugin["mmu/repl"] = "mmu/repl.h"
	plugin["os/guest"] = "os/guest.h"
	plugin["os/host"] = "os/host.h"
	plugin["mem/latency"] = "mem/latency.h"
}
function fault(text) {
	print FILENAME ":" FNR ": " text
	bad = 1
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	header = $0
	sub(/^[^"]*"/, "", header)
	sub(/".*/, "", header)
	n = split(FILENAME, path, "/")
	room = path[2]
	split(header, to, "/")
	if (header ~ /^\.\.?\// || header !~ /\//)
		fault("include \"" header "\": name it from sim/, as \"room/file.h\"")
	else if (!((room, to[1]) in ok))
		fault("room " room " may not include \"" header "\"")
	else if (n == 4 && (room "/" path[3]) in plugin && FILENAME ~ /\.c$/) {
		here = room "/" path[3]
		if (header != plugin[here] && to[1] != "arch" && index(header, here "/") != 1)
			fault("a plug-in of " here " includes \"" plugin[here] "\" and arch, not \"" header "\"")
	}
}
room != "cli" && /(^|[^A-Za-z0-9_])(printf|puts|putchar|exit|perror|abort)[ \t]*\(/ && FILENAME ~ /\.(c|cpp)$/ {
	split(FILENAME, path, "/")
	if (path[2] != "cli" && $0 !~ /^[ \t]*(\/?\*|\/\/)/ && $0 !~ /_exit[ \t]*\(/)
		fault("rooms below cli never print and never exit")
}
END { exit bad }'
