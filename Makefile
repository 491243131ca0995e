# SPDX-License-Identifier: BSD-2-Clause
# make             build/twostage                       make report      sweep and results/report/index.html
# make studies     the sweeps of docs/studies.md, their tables printed
# make check       all tests                            make check-long  the same with long random runs
# make bench       speed of replay, JSON on stdout      make bench-systemc   the same, many vCPUs with SystemC
# make check-dinero   misses against Dinero IV         make format, lint, clean
# Each installs the Debian packages that it misses first; SETUP=no leaves that out.

# No built-in rules: they would try to link the dependency files.
MAKEFLAGS += -r

# make's own defaults (cc, f77, ...) are no choice of the user's.
ifeq ($(origin CC),default)
CC = gcc
endif
ifeq ($(origin CXX),default)
CXX = $(if $(findstring clang,$(CC)),clang++,g++)
endif
CFLAGS ?= -O3 -g
CXXFLAGS ?= $(CFLAGS)
B ?= build
SETUP ?= yes
WERROR ?=

# As many jobs as there are processors, unless the command line says otherwise.
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
endif

WARN = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes $(WERROR)
CPPFLAGS_ALL = -Isim -I$(B)/gen -D_GNU_SOURCE $(CPPFLAGS)
CFLAGS_ALL = -std=c17 $(WARN) $(CFLAGS) -MMD -MP
# Debian's SystemC is built as C++17, and links with nothing else.
CXXFLAGS_ALL = -std=c++17 $(filter-out -Wstrict-prototypes,$(WARN)) $(CXXFLAGS) -MMD -MP
# Only programs that replay with SystemC define the sc_main() that its library wants.
LDLIBS = -Wl,--push-state,--as-needed -lsystemc -Wl,--pop-state -lstdc++ -lyaml -lzstd -lxxhash -lsqlite3 -llzma -lz -lpthread -lm

# A plug-in room is a folder whose files each define one object PREFIX_NAME; the registry of a room
# lists them sorted by file name.
#   room header type prefix pattern
REGISTRY_cli = cli/command.h:command:cmd_:sim/cli/cmd_*.c
REGISTRY_repl = mmu/repl.h:repl_ops:repl_:sim/mmu/repl/*.c
REGISTRY_guest = os/guest.h:guest_ops:guest_:sim/os/guest/*.c
REGISTRY_host = os/host.h:host_ops:host_:sim/os/host/*.c
REGISTRY_latency = mem/latency.h:latency_ops:latency_:sim/mem/latency/*.c
REGISTRY_fmt = trace/import.h:import_ops:fmt_:sim/trace/fmt_*.c
REGISTRIES = cli repl guest host latency fmt
REG_OBJ = $(REGISTRIES:%=$(B)/gen/registry_%.o)

SRC = $(sort $(wildcard sim/*/*.c sim/*/*/*.c))
CXX_SRC = $(sort $(wildcard sim/*/*/*.cpp))
OBJ = $(SRC:%.c=$(B)/%.o) $(CXX_SRC:%.cpp=$(B)/%.o) $(REG_OBJ)
LIB_OBJ = $(filter-out $(B)/sim/cli/% $(B)/gen/registry_cli.o,$(OBJ))

# Test programs are tests/{unit,repro,conform,model}/test_*.c, one each; the other .c files there
# are helpers that any of them may use. Likewise tests/bench/bench_*.c are programs of their own.
TEST_ROOMS = unit repro conform model
TEST_C = $(sort $(foreach r,$(TEST_ROOMS),$(wildcard tests/$(r)/*.c)))
TEST_SRC = $(foreach r,$(TEST_ROOMS),$(filter tests/$(r)/test_%.c,$(TEST_C)))
HELPER_OBJ = $(patsubst %.c,$(B)/%.o,$(filter-out $(TEST_SRC),$(TEST_C)))
TEST_BIN = $(TEST_SRC:%.c=$(B)/%)
BENCH_C = $(sort $(wildcard tests/bench/*.c))
BENCH_SRC = $(filter tests/bench/bench_%.c,$(BENCH_C))
BENCH_OBJ = $(patsubst %.c,$(B)/%.o,$(filter-out $(BENCH_SRC),$(BENCH_C)))
BENCH_BIN = $(BENCH_SRC:%.c=$(B)/%)

# One short line for each step; V=1 shows the commands.
ifeq ($(V),1)
SAY = @:
else
Q = @
SAY = @printf '  %-5s %s\n'
endif

all: $(B)/twostage

$(B)/twostage: $(OBJ)
	$(SAY) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJ) $(LDLIBS)

$(B)/libtwostage.a: $(LIB_OBJ)
	$(SAY) AR $@
	$(Q)rm -f $@ && ar rcs $@ $(LIB_OBJ)

$(B)/libhelpers.a: $(HELPER_OBJ)
	@mkdir -p $(@D)
	@rm -f $@ && ar rcs $@ $(HELPER_OBJ)

$(TEST_BIN): $(B)/%: $(B)/%.o $(B)/libhelpers.a $(B)/libtwostage.a
	$(SAY) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libhelpers.a $(B)/libtwostage.a -lcmocka $(LDLIBS)

$(BENCH_BIN): $(B)/%: $(B)/%.o $(BENCH_OBJ) $(B)/libtwostage.a
	$(SAY) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=mmu_walk_for -o $@ $< $(BENCH_OBJ) $(B)/libtwostage.a $(LDLIBS)

# Objects are made again when the compiler or its flags change.
$(B)/%.o: %.c $(B)/flags | setup-build
	@mkdir -p $(@D)
	$(SAY) CC $@
	$(Q)$(CC) $(CPPFLAGS_ALL) $(if $(filter tests/%,$<),-I.) $(CFLAGS_ALL) -c -o $@ $<

$(B)/%.o: %.cpp $(B)/flags | setup-build
	@mkdir -p $(@D)
	$(SAY) CXX $@
	$(Q)$(CXX) $(CPPFLAGS_ALL) $(CXXFLAGS_ALL) -c -o $@ $<

$(B)/gen/registry_%.c: scripts/registry.sh FORCE
	@mkdir -p $(@D)
	@sh scripts/registry.sh $* '$(REGISTRY_$*)' $@

$(B)/gen/%.o: $(B)/gen/%.c $(B)/flags | setup-build
	$(SAY) CC $@
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

$(B)/flags: FORCE | setup-build
	@mkdir -p $(@D)
	@{ echo '$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS)'; $(CC) --version; \
		echo '$(CXX) $(CXXFLAGS_ALL)'; $(CXX) --version; } >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# ---- set-up --------------------------------------------------------------------------------------

setup-build setup-report setup-check setup-fuzz setup-slurm: setup-%:
ifeq ($(SETUP),yes)
	@sh scripts/setup.sh $* '$(CC)'
endif

# ---- report --------------------------------------------------------------------------------------

REPORT_SPEC = workloads/sweeps/report.yaml
REPORT_DB = results/report.db
REPORT_DIR = results/report

report: setup-report
	@+$(MAKE) --no-print-directory SETUP=no all
	@mkdir -p results
	$(B)/twostage sweep $(REPORT_SPEC) -o $(REPORT_DB)
	$(B)/twostage report -d $(REPORT_DB) -o $(REPORT_DIR)

# ---- studies -------------------------------------------------------------------------------------

STUDIES = $(sort $(shell grep -l '^print:' workloads/studies/*.yaml))
STUDIES_DB = results/studies.db

studies:
	@+$(MAKE) --no-print-directory all
	@mkdir -p results
	@for spec in $(STUDIES); do $(B)/twostage sweep $$spec -o $(STUDIES_DB) || exit; echo; done

# ---- tests ---------------------------------------------------------------------------------------

test-programs: $(TEST_BIN)
bench-programs: $(BENCH_BIN)

# Programs of the tests: gcc and clang as released, and gcc with the sanitizers. Warnings are errors. Of the symbols that
# debuggers read they have what a backtrace shows, which is compiled in three quarters of the time.
SANITIZE = -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
SUBMAKE = $(MAKE) --no-print-directory SETUP=no WERROR=-Werror
CHECK_BUILDS = check-build-gcc check-build-clang check-build-asan

# A build that fails does not keep the tests of the others from being run and counted.
check-build-gcc: setup-check
	@+$(call check_build,build-gcc) CC=gcc CFLAGS='-O3 -g1' all capture $(CHECKED)

check-build-clang: setup-check
	@+$(call check_build,build-clang) CC=clang CFLAGS='-O2 -g1' all bench-programs $(CHECKED)

check-build-asan: setup-check
	@+$(call check_build,build-asan) CC=gcc CFLAGS='$(SANITIZE)' all test-programs bench-programs $(CHECKED)

check_build = b=$(1); rm -f $$b/failed; $(SUBMAKE) -k B=$$b
CHECKED = || { mkdir -p $$b && touch $$b/failed; }

check check-long: $(CHECK_BUILDS)
	@TWOSTAGE_LONG=$(if $(filter check-long,$@),1,) sh tests/run.sh

# ---- speed ---------------------------------------------------------------------------------------

BENCH_TRACES = $(sort $(wildcard traces/*.s2t))
# What replays of raw words are measured on: the pages of these, 60 and 50 million accesses.
BENCH_WORDS = sqlite xz

# Only the JSON goes to stdout.
bench:
	@+$(MAKE) --no-print-directory bench-programs >&2
	@mkdir -p $(B)/bench
	@for t in $(BENCH_WORDS); do \
		$(B)/tests/bench/bench_words traces/$$t.s2t $(B)/bench/$$t.raw8 || exit; \
	done
	@$(B)/tests/bench/bench_replay $(BENCH_TRACES) $(BENCH_WORDS:%=$(B)/bench/%.raw8)

# Sixteen vCPUs with SystemC: random accesses that all walk, popular pages, and lines in a row.
GEN_VCPUS = $(B)/twostage trace gen -g page --vcpus=16 --fetches=0 --seed=3

bench-systemc:
	@+$(MAKE) --no-print-directory all bench-programs >&2
	@mkdir -p $(B)/bench
	@$(GEN_VCPUS) --pattern=gups --footprint=64M --accesses=6M -o $(B)/bench/random.s2t
	@$(GEN_VCPUS) --pattern=zipf --footprint=512M --skew=1.2 --accesses=4M -o $(B)/bench/zipf.s2t
	@$(GEN_VCPUS) --pattern=stride --footprint=64M --stride=64 --accesses=64M -o $(B)/bench/stride.s2t
	@$(B)/tests/bench/bench_vcpus $(B)/bench/random.s2t $(B)/bench/zipf.s2t $(B)/bench/stride.s2t

# Miss counts against Dinero IV, where dineroIV is on PATH.
check-dinero:
	@+$(MAKE) --no-print-directory all
	@TWOSTAGE="$$(cd '$(B)' && pwd)/twostage" sh tests/bench/live/dinero.sh

# ---- upkeep --------------------------------------------------------------------------------------

format: setup-check
	clang-format -i $$(git ls-files '*.c' '*.h' '*.cpp')

lint: setup-check
	@for check in scripts/check-*.sh; do sh "$$check" || exit 1; done

clean:
	rm -rf build build-gcc build-clang build-asan build-fuzz

FORCE:
.PHONY: all report studies check check-long check-dinero bench bench-systemc format lint clean test-programs bench-programs FORCE \
	setup-build setup-report setup-check setup-fuzz setup-slurm $(CHECK_BUILDS)
.PRECIOUS: $(B)/gen/registry_%.c $(B)/%.o
-include traces/capture/capture.mk tests/conform/conform.mk tests/conform/kvm-live/kvm-live.mk tests/fuzz/fuzz.mk tests/slurm/slurm.mk
-include $(OBJ:.o=.d) $(TEST_BIN:=.d) $(BENCH_BIN:=.d) $(HELPER_OBJ:.o=.d) $(BENCH_OBJ:.o=.d)
