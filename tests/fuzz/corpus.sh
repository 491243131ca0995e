# SPDX-License-Identifier: BSD-2-Clause
# Every input of tests/fuzz/corpus through its target, in the build with the sanitizers.
. tests/lib.sh

for source in tests/fuzz/fuzz_*.c; do
	name=${source##*/fuzz_}
	name=${name%.c}
	if build-asan/tests/fuzz/fuzz_"$name" tests/fuzz/corpus/"$name" >"$work/out" 2>"$work/log"; then
		pass "$name"
	else
		fail "$name"
		cat "$work/out" "$work/log"
	fi
done

large=$(find tests/fuzz/corpus -type f -size +4k)
if [ -z "$large" ] && [ "$(cat tests/fuzz/corpus/*/* | wc -c)" -le 307200 ]; then
	pass size
else
	fail "corpus: files of at most 4 KiB, together at most 300 KiB, expected" $large
fi
finish
