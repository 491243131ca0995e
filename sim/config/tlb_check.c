/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/tlb_check.h"

#include <string.h>

static bool prefetches(const struct tlb_config *tlb)
{
	return tlb->prefetch && strcmp(tlb->prefetch, "none") != 0;
}

/* A prefetch has no time of its own, and fills levels without regard to each other. */
static enum exit_status check_prefetch(const char *what, const struct tlb_config *tlb,
				       const struct config *config, struct diag *diag)
{
	if (!prefetches(tlb))
		return STATUS_OK;
	if (strcmp(config->tlb.inclusion, "none") != 0)
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s.prefetch: %s wants tlb.inclusion: none, not %s", what,
				tlb->prefetch, config->tlb.inclusion);
	if (strcmp(config->timing.backend, "analytic") != 0)
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s.prefetch: %s wants timing.backend: analytic", what,
				tlb->prefetch);
	return STATUS_OK;
}

static enum exit_status check_sharing(const struct config *config, struct diag *diag)
{
	if (config->tlb.l2.shared_by == 1 || strcmp(config->tlb.inclusion, "none") == 0)
		return STATUS_OK;
	return diag_set(diag, STATUS_BAD_INPUT,
			"tlb.l2.shared_by: %u vCPUs want tlb.inclusion: none, not %s",
			(unsigned)config->tlb.l2.shared_by, config->tlb.inclusion);
}

enum exit_status tlb_check(const struct config *config, struct diag *diag)
{
	enum exit_status status = check_prefetch("tlb.l1i", &config->tlb.l1i, config, diag);

	if (status == STATUS_OK)
		status = check_prefetch("tlb.l1d", &config->tlb.l1d, config, diag);
	if (status == STATUS_OK)
		status = check_prefetch("tlb.l2", &config->tlb.l2, config, diag);
	return status == STATUS_OK ? check_sharing(config, diag) : status;
}
