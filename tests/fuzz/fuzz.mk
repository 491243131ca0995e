# SPDX-License-Identifier: BSD-2-Clause
# Fuzz targets (docs/testing.md). Included by the top Makefile.
#   make fuzz                  each target for FUZZ_SECONDS, with clang's libFuzzer
#   make fuzz TARGETS=walk     that one only
#   make fuzz-corpus           and keep, minimised, what the search found new
FUZZ_SECONDS ?= 60
FUZZ_SRC = $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_NAMES = $(FUZZ_SRC:tests/fuzz/fuzz_%.c=%)
TARGETS ?= $(FUZZ_NAMES)
FUZZ_COMMON = $(B)/tests/fuzz/fuzz.o $(B)/tests/fuzz/s2t_repair.o
FUZZ_BIN = $(FUZZ_SRC:%.c=$(B)/%)
# The subcommands, too, but not main().
FUZZ_LIBS = $(filter-out $(B)/sim/cli/main.o,$(OBJ)) $(B)/libhelpers.a

# With FUZZER=yes libFuzzer brings main(); otherwise the programs replay files.
ifeq ($(FUZZER),yes)
FUZZ_MAIN = -fsanitize=fuzzer
else
FUZZ_MAIN = $(B)/tests/fuzz/main.o
endif

$(FUZZ_BIN): $(B)/%: $(B)/%.o $(FUZZ_COMMON) $(B)/tests/fuzz/main.o $(FUZZ_LIBS)
	$(SAY) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(FUZZ_COMMON) $(FUZZ_MAIN) $(FUZZ_LIBS) $(LDLIBS)

fuzz-programs: $(FUZZ_BIN)

# Part of what `make check` builds.
test-programs: fuzz-programs

FUZZ_CFLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
FUZZ_MAKE = $(MAKE) --no-print-directory SETUP=no B=build-fuzz CC=clang FUZZER=yes \
	CFLAGS='$(FUZZ_CFLAGS)'

fuzz fuzz-corpus: setup-fuzz
	@+$(FUZZ_MAKE) $(TARGETS:%=build-fuzz/tests/fuzz/fuzz_%)
	@sh scripts/fuzz.sh $(if $(filter fuzz-corpus,$@),keep,search) $(FUZZ_SECONDS) $(TARGETS)

.PHONY: fuzz fuzz-corpus fuzz-programs
-include $(FUZZ_BIN:=.d) $(FUZZ_COMMON:.o=.d) $(B)/tests/fuzz/main.d
