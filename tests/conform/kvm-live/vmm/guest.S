/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest: one page at IPA 0, at EL1 with its MMU off. It makes the accesses that the VMM puts into
 * its registers and rings the doorbell, an IPA without memory, when they are done.
 *   x0 operation   x1 address   x2 stride   x3 count   x4 doorbell   x5 mailbox   x6 word awaited there
 */
#include "guest.h"

	.section .rodata.guest, "a"
	.balign	4096
	.global	guest_page
guest_page:
	/* Vectors. Memory holds zeros, which are no instruction: each fetch ends here. */
	.rept	16
	b	next
	.balign	128
	.endr
wait:
	str	w0, [x4]
loop:
	cbz	x3, wait
	cmp	x0, #GUEST_STORE
	b.lo	load
	b.eq	store
	cmp	x0, #GUEST_FETCH
	b.eq	fetch
spin:
	ldr	x7, [x5]
	cmp	x7, x6
	b.ne	spin
	b	next
load:
	ldr	w7, [x1]
	b	next
store:
	str	wzr, [x1]
	b	next
fetch:
	br	x1
next:
	add	x1, x1, x2
	sub	x3, x3, #1
	b	loop
	.org	guest_page + GUEST_PAGE_BYTES

	.section .note.GNU-stack, "", %progbits
