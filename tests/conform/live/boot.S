/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry at EL2 with the MMU off, exceptions, and the page that runs at EL1. */

	.section .text.boot, "ax"
	.global _start
_start:
	adrp	x0, stack_end
	add	x0, x0, :lo12:stack_end
	mov	sp, x0
	ldr	x0, =0x30c50830			/* RES1 bits; MMU and caches off */
	msr	sctlr_el2, x0
	adr	x0, vectors
	msr	vbar_el2, x0
	msr	cptr_el2, xzr
	isb
	bl	live_main
hang:	wfi
	b	hang

/* uint64_t semihost(uint64_t op, void *block) */
	.global semihost
semihost:
	hlt	#0xf000
	ret

/*
 * uint64_t live_run(uint64_t pc, uint64_t spsr, uint64_t x0, uint64_t x1): leaves for EL1 or EL0 and
 * comes back at the next exception taken to EL2. Returns x2 as it was then.
 */
	.global live_run
live_run:
	stp	x29, x30, [sp, #-96]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	msr	elr_el2, x0
	msr	spsr_el2, x1
	mov	x0, x2
	mov	x1, x3
	mov	x2, xzr
	isb
	eret

lower:	mov	x0, x2
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret

/* An AT instruction took an abort: note it and go on behind. */
current:
	msr	tpidr_el2, x0
	mrs	x0, elr_el2
	add	x0, x0, #4
	msr	elr_el2, x0
	mov	x0, #1
	msr	tpidr_el1, x0
	mrs	x0, tpidr_el2
	eret

	.macro	vector target
	.balign	0x80
	b	\target
	.endm

	.balign	0x800
vectors:
	.rept	4			/* current EL, SP_EL0 */
	vector	hang
	.endr
	vector	current			/* current EL, SP_EL2: synchronous */
	.rept	3
	vector	hang
	.endr
	vector	lower			/* lower EL, AArch64: synchronous */
	.rept	7
	vector	lower
	.endr

/* The page that runs at EL1: vectors, a table at 0x800, accesses from 0x900, 16 bytes each. */
	.section .rodata
	.balign	0x800
	.global harness_begin, harness_end
harness_begin:
	.rept	16
	.balign	0x80
	hvc	#1
	.endr
	.balign	0x800
	.skip	0x100
	.macro	access op:vararg
	.balign	16
	\op
	hvc	#2
	.endm
	access	ldr x2, [x0]
	access	str x1, [x0]
	access	ldtr x2, [x0]
	access	sttr x1, [x0]
harness_end:

	.section .bss
	.balign	16
	.skip	16384
stack_end:
