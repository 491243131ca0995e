/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry, exception vectors and the few instructions that C cannot say. Runs at EL2 with its MMU
 * off; everything here is in identity-addressed memory.
 */
	.arch armv8.4-a

	.section .text.start, "ax"
	.global _start
_start:
	ldr	x0, =stack_end
	mov	sp, x0
	ldr	x0, =vectors_el2
	msr	vbar_el2, x0
	ldr	x0, =el1_page
	msr	vbar_el1, x0
	mov	x0, #3 << 20			/* no trap of FP at EL1 */
	msr	cpacr_el1, x0
	isb
	bl	guest_main
	/* SYS_EXIT with ADP_Stopped_ApplicationExit and the status in x0. */
	ldr	x1, =exit_block
	str	x0, [x1, #8]
	mov	w0, #0x18
	hlt	#0xf000
1:	b	1b

/* uint64_t semihost(uint64_t op, const void *block) */
	.text
	.global semihost
semihost:
	hlt	#0xf000
	ret

/*
 * uint64_t lower_run(uint64_t pc, uint64_t spsr, uint64_t x0, uint64_t x1): leave for EL1 or EL0;
 * returns x0 as it was when an exception brought the PE back to EL2.
 */
	.global lower_run
lower_run:
	stp	x19, x20, [sp, #-96]!
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	msr	elr_el2, x0
	msr	spsr_el2, x1
	mov	x0, x2
	mov	x1, x3
	isb
	eret

/*
 * uint64_t at_run(uint64_t op, uint64_t va): PAR_EL1; at_exception is set to 1 by the vector when the
 * instruction took an exception.
 */
	.global at_run
at_run:
	adr	x2, 1f
	add	x2, x2, x0, lsl #3
	br	x2
1:	at	s12e1r, x1
	b	2f
	at	s12e1w, x1
	b	2f
	at	s12e0r, x1
	b	2f
	at	s12e0w, x1
	b	2f
	at	s1e1r, x1
	b	2f
	at	s1e1w, x1
	b	2f
	at	s1e0r, x1
	b	2f
	at	s1e0w, x1
2:	isb
	mrs	x0, par_el1
	ret

	.macro	vector label
	.balign	0x80
	b	\label
	.endm

	.balign	0x800
vectors_el2:
	vector	unexpected
	vector	unexpected
	vector	unexpected
	vector	unexpected
	vector	from_el2			/* current EL, SP_ELx, synchronous */
	vector	unexpected
	vector	unexpected
	vector	from_el2			/* SError */
	vector	from_lower			/* lower EL, AArch64, synchronous */
	vector	unexpected
	vector	unexpected
	vector	from_lower
	vector	unexpected
	vector	unexpected
	vector	unexpected
	vector	unexpected

/* Only at_run may take an exception: note it and go on after the instruction. */
from_el2:
	ldr	x3, =at_exception
	ldr	x4, [x3]
	cbnz	x4, unexpected
	mov	x4, #1
	str	x4, [x3]
	mrs	x4, elr_el2
	add	x4, x4, #4
	msr	elr_el2, x4
	eret

from_lower:
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	x19, x20, [sp], #96
	ret

unexpected:
	mrs	x0, esr_el2
	mrs	x1, elr_el2
	mrs	x2, far_el2
	ldr	x3, =stack_end
	mov	sp, x3
	b	guest_unexpected

/*
 * The page that EL1 executes: its vectors and the accesses. EL2 puts it into the TLB under
 * tables of its own first, so it is reached whatever the tables of the case say.
 */
	.macro	el1_vector
	.balign	0x80
	hvc	#1
	.endm

	.balign	0x1000
	.global el1_page
el1_page:
	.rept	16
	el1_vector
	.endr
	.balign	0x80
	.global el1_warm, el1_ldr, el1_str, el1_ldtr, el1_sttr
el1_warm:
	hvc	#0
el1_ldr:
	ldr	x0, [x0]
	hvc	#0
el1_str:
	str	x1, [x0]
	hvc	#0
el1_ldtr:
	ldtr	x0, [x0]
	hvc	#0
el1_sttr:
	sttr	x1, [x0]
	hvc	#0

	.data
	.balign	8
exit_block:
	.quad	0x20026, 0

	.section .note.GNU-stack, "", %progbits
