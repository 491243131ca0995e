/* SPDX-License-Identifier: BSD-2-Clause */
/* The first process: one set-up after the other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "vmm.h"

#define LINE_BYTES 4096

/* The numbers of a step, "NAME:N:N:N". */
static void step_numbers(const char *step, uint64_t *numbers, unsigned count)
{
	step += strcspn(step, ":");
	for (unsigned i = 0; i < count; i++) {
		if (*step != ':')
			fail("a step with fewer than %u numbers", count);
		step++;
		numbers[i] = parse_number(&step);
	}
}

static bool access_step(struct vm *vm, const char *step)
{
	uint64_t n[3];

	step_numbers(step, n, 3);
	return vm_access(vm,
			 *step == 'r'	? GUEST_LOAD
			 : *step == 'w' ? GUEST_STORE
					: GUEST_FETCH,
			 n[0], n[1], n[2]);
}

/* False: the guest hangs. */
static bool run_step(struct vm *vm, const char *step)
{
	uint64_t n[2];

	if (strchr("rwx", step[0]) && step[1] == ':')
		return access_step(vm, step);
	if (strcmp(step, "snap") == 0) {
		vm_snap(vm);
	} else if (strcmp(step, "logon") == 0) {
		vm_set_logging(vm, true);
	} else if (strcmp(step, "logoff") == 0) {
		vm_set_logging(vm, false);
	} else if (strcmp(step, "getlog") == 0) {
		vm_get_log(vm);
	} else if (strncmp(step, "clrlog:", 7) == 0) {
		step_numbers(step, n, 2);
		vm_clear_log(vm, n[0], n[1]);
	} else if (strncmp(step, "discard:", 8) == 0) {
		step_numbers(step, n, 2);
		vm_discard(vm, n[0], n[1]);
	} else if (strncmp(step, "collapse:", 9) == 0) {
		step_numbers(step, n, 1);
		vm_collapse(vm, n[0]);
	} else {
		fail("step '%s'", step);
	}
	return true;
}

static void run_setup(struct vm *vm, int kvm, const struct setup *setup)
{
	char *place;
	const char *refused = vm_open(vm, kvm, setup);

	if (refused)
		say("error %s:%s", refused, errno_name(errno));
	for (char *step = strtok_r(setup->script, ";", &place); step && !refused;
	     step = strtok_r(NULL, ";", &place)) {
		if (!run_step(vm, step)) {
			say("error KVM_RUN:HANG");
			break;
		}
	}
	vm_close(vm);
	say("end");
}

int main(void)
{
	const int kvm = machine_prepare();
	static char line[LINE_BYTES];
	struct setup setup;
	struct vm vm = { 0 };

	for (;;) {
		read_line(line, sizeof(line));
		parse_setup(line, &setup);
		run_setup(&vm, kvm, &setup);
	}
}
