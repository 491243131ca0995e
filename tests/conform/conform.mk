# SPDX-License-Identifier: BSD-2-Clause
# The live proof: our walker against an emulated PE (docs/conform.md). Included by the top Makefile.
LIVE_SRC = $(sort $(wildcard tests/conform/live/*.c))
LIVE_OBJ = $(LIVE_SRC:%.c=$(B)/%.o)
LIVE_BIN = $(B)/tests/conform/live/live
LIVE_GUEST = $(B)/tests/conform/live/guest.elf
LIVE_GUEST_SRC = $(sort $(wildcard tests/conform/live/guest/*))

CROSS = aarch64-linux-gnu-
CROSS_CFLAGS = -std=gnu17 -O2 -Wall -Wextra -ffreestanding -fno-stack-protector -fno-pie \
	-mgeneral-regs-only -mstrict-align
CROSS_LDFLAGS = -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments

$(LIVE_BIN): $(LIVE_OBJ) $(B)/libhelpers.a $(B)/libtwostage.a
	$(SAY) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(LIVE_OBJ) $(B)/libhelpers.a $(B)/libtwostage.a $(LDLIBS)

$(LIVE_GUEST): $(LIVE_GUEST_SRC) tests/conform/live/wire.h
	@mkdir -p $(@D)
	$(SAY) CROSS $@
	$(Q)$(CROSS)gcc $(CROSS_CFLAGS) $(CROSS_LDFLAGS) -T tests/conform/live/guest/guest.ld -o $@ \
		$(filter %.S %.c,$(LIVE_GUEST_SRC))

live-programs: $(LIVE_BIN) $(LIVE_GUEST)

# Part of what `make check` builds.
test-programs: live-programs

conform: setup-check
	@+$(MAKE) --no-print-directory SETUP=no live-programs
	@B=$(B) sh scripts/conform.sh

.PHONY: conform live-programs
-include $(LIVE_OBJ:.o=.d)
