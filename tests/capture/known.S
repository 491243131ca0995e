/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest program whose accesses are known exactly: 4 instructions up to the branch behind the
 * mark, then 6,067 instructions, 1,001 loads, 3,012 stores, two of these
 * accesses over a page boundary (DC ZVA and each half of STP count as one store).
 */
	.globl	_start
_start:
	nop
	nop
	hint	#110			// start mark
	b	begin
begin:
	mov	x10, #0x1234		// 4 instructions: the plug-in finds the registers by
	mov	x11, #0x5678		// their values, which must differ
	mov	x12, #0x9abc
	mov	x13, #0xdef0
	mov	x0, #1000		// 2 instructions
	adrp	x1, buffer
1:					// 1000 times 6 instructions, 1 load, 3 stores
	ldr	x2, [x1]
	add	x2, x2, #1
	str	x2, [x1]
	stp	x2, x3, [x1, #16]
	subs	x0, x0, #1
	b.ne	1b
	add	x3, x1, #4092		// 3 instructions, 1 load, 1 store over the boundary
	ldr	x2, [x3]
	str	x2, [x3]
	add	x4, x1, #2, lsl #12	// 2 instructions
	mov	x0, #11
2:					// 11 times 4 instructions, 1 store
	dc	zva, x4
	add	x4, x4, #64
	subs	x0, x0, #1
	b.ne	2b
	mov	x5, #4			// 9 instructions in all
3:
	subs	x5, x5, #1
	b.ne	3b
	mov	x0, #7			// 3 instructions
	mov	x8, #93
	svc	#0

	.bss
	.balign	4096
buffer:
	.space	5 * 4096
