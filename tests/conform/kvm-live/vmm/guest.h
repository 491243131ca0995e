/* SPDX-License-Identifier: BSD-2-Clause */
/* What guest, VMM and the reader outside the machine agree on. Also read by the assembler. */
#ifndef KVM_LIVE_GUEST_H
#define KVM_LIVE_GUEST_H

#define GUEST_LOAD  0
#define GUEST_STORE 1
#define GUEST_FETCH 2
#define GUEST_SPIN  3 /* until the mailbox holds the word awaited */

#define GUEST_PAGE_BYTES 4096
#define GUEST_ENTRY	 0x800 /* behind the vectors */
/* In the guest's page, which is at IPA 0. */
#define GUEST_MAILBOX	0xff0
#define GUEST_MARK	0xff8
#define GUEST_MARK_WORD 0x6567617473776f74

#define GUEST_SLOT_BYTES 0x10000
#define GUEST_DOORBELL	 0x10000

#endif
