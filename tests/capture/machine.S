/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bare machine at EL1 that turns its MMU on with two 1 GiB blocks, 0x40000000 and 0x80000000,
 * which both go to 0x40000000, reads a word through both, then changes the ASID and sends a TLBI.
 * Also reads a register of the PL011, a device. Ends by PSCI SYSTEM_OFF.
 */
	.globl	_start
_start:
	mov	x10, #0x1234		// the plug-in finds the registers by their values
	mov	x11, #0x5678
	mov	x12, #0x9abc
	mov	x13, #0xdef0
	ldr	x0, =0xff		// attribute 0: normal memory, write-back
	msr	mair_el1, x0
	ldr	x0, =0x280803519	// 39-bit VAs, 4 KiB, write-back, inner shareable; no TTBR1
	msr	tcr_el1, x0
	adrp	x0, table
	ldr	x1, =0x0000000000000405	// 0: 1 GiB block, attribute 1 (device)
	str	x1, [x0]
	ldr	x1, =0x0000000040000701
	str	x1, [x0, #8]
	str	x1, [x0, #16]
	mov	x2, #0x11
	orr	x3, x0, x2, lsl #48	// ASID 0x11
	msr	ttbr0_el1, x3
	isb
	mrs	x4, sctlr_el1
	orr	x4, x4, #1
	msr	sctlr_el1, x4
	isb
	hint	#110			// start mark
	isb
	ldr	x5, =0x40200000
	str	x2, [x5]
	mov	x6, #0x80200000		// the same word by its other address
	ldr	x7, [x6]
	mov	x8, #0x09000000		// PL011
	ldr	w9, [x8, #0x18]
	mov	x2, #0x22
	orr	x3, x0, x2, lsl #48	// ASID 0x22
	msr	ttbr0_el1, x3
	isb
	ldr	x10, =0x11000000040200
	tlbi	vae1, x10
	dsb	sy
	isb
	ldr	x7, [x6]
	ldr	x0, =0x84000008
	hvc	#0
	b	.

	.balign	4096
table:
	.space	4096
