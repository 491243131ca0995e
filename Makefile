# SPDX-License-Identifier: BSD-2-Clause
# No built-in rules: they would try to link the dependency files.
MAKEFLAGS += -r
CC ?= gcc
CFLAGS ?= -O3 -g
WARN = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes
CPPFLAGS_ALL = -Isim -I$(B)/gen -D_GNU_SOURCE $(CPPFLAGS)
CFLAGS_ALL = -std=c17 $(WARN) $(CFLAGS) -MMD -MP
LDLIBS = -lyaml -lzstd -lxxhash -lsqlite3 -llzma -lz -lpthread -lm
B ?= build

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
OBJ = $(SRC:%.c=$(B)/%.o) $(REG_OBJ)
LIB_OBJ = $(filter-out $(B)/sim/cli/%,$(OBJ))

all: $(B)/twostage

$(B)/twostage: $(OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libtwostage.a: $(LIB_OBJ)
	rm -f $@ && ar rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

$(B)/gen/registry_%.c: scripts/registry.sh FORCE
	@mkdir -p $(@D)
	@sh scripts/registry.sh $* '$(REGISTRY_$*)' $@

$(B)/gen/%.o: $(B)/gen/%.c
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

FORCE:
.PHONY: all FORCE
.PRECIOUS: $(B)/gen/registry_%.c
-include $(OBJ:.o=.d)
