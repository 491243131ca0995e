/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TWOSTAGE_CONFIG_TLB_CHECK_H
#define TWOSTAGE_CONFIG_TLB_CHECK_H

#include "base/diag.h"
#include "config/config.h"

/* What TLBs and walk caches can be asked for one by one, but not together. */
enum exit_status tlb_check(const struct config *config, struct diag *diag);

#endif
