# SPDX-License-Identifier: BSD-2-Clause
# The capture plug-in: a shared object that QEMU loads. Included by the top Makefile.
CAPTURE_SRC = $(sort $(wildcard traces/capture/*.c)) sim/base/diag.c \
	$(sort $(wildcard sim/trace/beside.c sim/trace/s2t_writer.c sim/trace/s2t_encode.c sim/trace/s2t_index.c))
CAPTURE_OBJ = $(CAPTURE_SRC:%.c=$(B)/capture/%.o)

capture: $(B)/capture.so

$(B)/capture.so: $(CAPTURE_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-Bsymbolic -o $@ $^ -lzstd -lxxhash -lpthread

$(B)/capture/%.o: %.c $(B)/flags | setup-build
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) -Itraces/capture $(CFLAGS_ALL) -fPIC -fvisibility=hidden -c -o $@ $<

.PHONY: capture
-include $(CAPTURE_OBJ:.o=.d)
