# SPDX-License-Identifier: BSD-2-Clause
# The live proof for stage 2: our KVM against the kernel's (docs/conform.md). Included by the top Makefile
# behind conform.mk, which says what CROSS is.
KVM_LIVE_SRC = $(sort $(wildcard tests/conform/kvm-live/*.c))
KVM_LIVE_OBJ = $(KVM_LIVE_SRC:%.c=$(B)/%.o)
KVM_LIVE_BIN = $(B)/tests/conform/kvm-live/kvm-live
KVM_LIVE_VMM = $(B)/tests/conform/kvm-live/vmm
KVM_LIVE_VMM_SRC = $(sort $(wildcard tests/conform/kvm-live/vmm/*))

$(KVM_LIVE_BIN): $(KVM_LIVE_OBJ)
	$(SAY) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(KVM_LIVE_OBJ)

# A program of Linux, static because it is all that its machine has.
$(KVM_LIVE_VMM): $(KVM_LIVE_VMM_SRC)
	@mkdir -p $(@D)
	$(SAY) CROSS $@
	$(Q)$(CROSS)gcc -std=gnu17 -D_GNU_SOURCE -O2 $(WARN) -static -o $@ $(filter %.S %.c,$^)

kvm-live-programs: $(KVM_LIVE_BIN) $(KVM_LIVE_VMM)

# Part of what `make check` builds.
test-programs: kvm-live-programs

conform-kvm: setup-check
	@+$(MAKE) --no-print-directory SETUP=no all kvm-live-programs
	@B=$(B) sh scripts/conform-kvm.sh

.PHONY: conform-kvm kvm-live-programs
-include $(KVM_LIVE_OBJ:.o=.d)
