/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Marks of the region of interest for the capture plug-in (start=mark): hint instructions with
 * numbers that the architecture leaves unallocated, which do nothing on any core.
 */
#ifndef TWOSTAGE_WORKLOADS_ROI_H
#define TWOSTAGE_WORKLOADS_ROI_H

#ifdef __aarch64__
#define roi_begin() __asm__ volatile("hint #110" ::: "memory")
#define roi_end()   __asm__ volatile("hint #111" ::: "memory")
#else
#define roi_begin() ((void)0)
#define roi_end()   ((void)0)
#endif

#endif
