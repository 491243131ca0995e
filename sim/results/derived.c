/* SPDX-License-Identifier: BSD-2-Clause */
#include "results/derived.h"

#include "run/machine_setup.h"

static const char *const names[] = {
	"stage1_start_level",
	"stage2_start_level",
	"stage2_root_tables",
};

const char *derived_name(size_t index)
{
	return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}

bool derived_value(size_t index, const struct config *config, double *value)
{
	const struct vm_setup setup = machine_vm_setup(config, 0);
	struct s1_geometry s1;
	struct s2_geometry s2;

	if (vm_check_geometry(&setup, &s1, &s2, NULL) != STATUS_OK)
		return false;
	switch (index) {
	case 0:
		*value = s1.start_level;
		return true;
	case 1:
		*value = s2.start_level;
		return true;
	default:
		*value = s2.root_tables;
		return true;
	}
}
