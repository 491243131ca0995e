#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What README.md and docs/*.md show is what the program prints: each example that begins with `$` is run, and every line
# shown under it has to come in that order ("..." stands for any lines, or for the rest of a line). README's lists of
# commands, importers and rooms are those of the program; links lead somewhere, and to each page of docs/ there is one.
. tests/lib.sh
: "${TWOSTAGE:?}"
top=$PWD
program=${TWOSTAGE_FAST:-$TWOSTAGE}

# Examples of a page, as NUMBER.cmd and NUMBER.out in the working folder.
examples() {
	rm -f "$work"/*.cmd "$work"/*.out
	awk -v work="$work" '
		!/^    / && NF { shown = "" }
		!/^    / { if (shown) print "" >shown; next }
		/^    \$ / || more {
			if (!more) base = sprintf("%s/%03d", work, ++n)
			more = /\\$/
			shown = base ".out"
			sub(/^    (\$ )?/, "")
			print >(base ".cmd")
			printf "" >shown
			next
		}
		shown { sub(/^    /, ""); print >shown }' "$1"
}

# The lines of the first file come in the second one, in order.
in_order() {
	awk 'NR == FNR { if (NF && $0 != "...") want[++n] = $0; next }
		at < n {
			w = want[at + 1]
			if ($0 == w || (w ~ /\.\.\.$/ && index($0, substr(w, 1, length(w) - 3)) == 1)) at++
		}
		END { if (at < n) { print "not printed: " want[at + 1]; exit 1 } }' "$1" "$2"
}

mkdir "$work/bin" "$work/here"
ln -s "$program" "$work/bin/twostage"
ln -s "$work/bin" "$work/here/build"
ln -s "$top/traces" "$work/here/traces"

# run_example PAGE COMMAND SHOWN - exit status 0, unless an error is what is shown.
run_example() {
	name="$1: $(head -n 1 "$2")"
	(cd "$work/here" && PATH=$work/bin:$PATH sh "$2") >"$work/got" 2>&1 </dev/null
	got=$?
	if [ $got -ne 0 ] && ! grep -q 'error: ' "$3"; then
		fail "$name: exit status $got: $(head -n 1 "$work/got")"
	else
		expect "$name" 0 '' in_order "$3" "$work/got"
	fi
}

for page in README.md docs/*.md; do
	examples "$page"
	for command in "$work"/*.cmd; do
		[ -e "$command" ] && run_example "$page" "$command" "${command%.cmd}.out"
	done
done
examples README.md
expect 'README has examples' 0 '' test -e "$work/004.out"
sed 's/1523 cycles/1524 cycles/' "$work/004.out" >"$work/wrong"
expect 'a wrong figure is found' 1 'not printed: .* 1524 cycles' in_order "$work/wrong" "$work/004.out"

# The table of commands: each command once.
sed -n '/^## Commands/,/^## /s/^| \(`.*`\) |.*/\1/p' README.md | tr -d '`,' | tr ' ' '\n' | sort >"$work/listed"
"$TWOSTAGE" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -v help | sort >"$work/there"
expect 'commands in README' 0 '' diff "$work/listed" "$work/there"
sed -n '/^.SH COMMANDS/,/^.SH [^C]/s/^\.[BR]* \(.*\)/\1/p' docs/twostage.1 | tr -d '",' | tr ' ' '\n' | grep -xF "$(cat "$work/there")" | sort >"$work/manual"
expect 'commands in the manual page' 0 '' diff "$work/manual" "$work/there"

# Importers are counted in words.
number=$("$TWOSTAGE" list | sed -n '/^importers/,/^[^ ]/p' | grep -c '^  ')
word=$(echo 'one two three four five six seven eight nine ten eleven twelve' | cut -d ' ' -f "$number")
expect "$number importers" 0 "imports $word foreign formats" cat README.md

listed=$(sed -n 's/^    sim\/ .*one folder a room: \(.*\) (docs.*/\1/p' README.md | tr ' ' '\n' | sort | tr '\n' ' ')
expect 'rooms in README' 0 '' test "$listed" = "$(ls sim | tr '\n' ' ')"

# Headings as anchors: lower case, blanks as dashes, nothing but letters, digits, dashes and underscores.
anchors() {
	sed -n 's/^#\{1,\} //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}
for page in $(git ls-files '*.md'); do
	grep -o '](\([^)]*\))' "$page" | sed 's/^](//; s/)$//' | grep -v '^https\{0,1\}:' >"$work/links"
	while read -r link; do
		file=${link%%#*} anchor=''
		case $link in *#*) anchor=${link#*#} ;; esac
		path=$page
		[ -z "$file" ] || path=$(dirname "$page")/$file
		expect "$page: link to $link" 0 '' test -e "$path"
		[ -z "$anchor" ] || { anchors "$path" >"$work/anchors" && expect "$page: link to $link" 0 "^$anchor\$" cat "$work/anchors"; }
	done <"$work/links"
done

# Parameters: each group is a row of docs/config.md. Approximations: each number once, and none is referred to that is not there.
"$TWOSTAGE" list params --json | jq -r '.params[].key' | sed 's/\..*//' | sort -u >"$work/there"
sed -n '/^## Groups/,/^## Models/s/^| \(`.*`\) | .* | .*/\1/p' docs/config.md | tr -d '`,' | cut -d '|' -f 1 | tr -s ' ' '\n' | sort >"$work/listed"
expect 'groups of parameters' 0 '' diff "$work/listed" "$work/there"
sed -n 's/^- \*\*\(M[0-9]*\)\..*/\1/p' docs/model.md | sort >"$work/numbers"
expect 'numbers of approximations' 0 '^M1$' cat "$work/numbers"
expect 'each number once' 0 '' test -z "$(uniq -d "$work/numbers")"
grep -rhoE '\bM[1-9][0-9]?\b' README.md docs sim workloads | sort -u >"$work/named"
expect 'numbers referred to' 0 '' test -z "$(comm -13 "$work/numbers" "$work/named")"

for page in docs/*.md; do
	expect "README names $page" 0 "\\($page\\)" cat README.md
done
finish
