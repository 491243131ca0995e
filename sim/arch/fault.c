/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/fault.h"

/* FSC of a fault with a level: base | level, and the code of level -1 (EncodeLDFSC). */
static const struct {
	uint8_t base, level_m1;
} level_codes[] = {
	[FAULT_TRANSLATION] = { 0x04, 0x2b }, [FAULT_ADDRESS_SIZE] = { 0x00, 0x29 },
	[FAULT_ACCESS_FLAG] = { 0x08, 0x3f }, /* no blocks at level -1 */
	[FAULT_PERMISSION] = { 0x0c, 0x3f },  [FAULT_EXTERNAL_WALK] = { 0x14, 0x13 },
};

unsigned fault_fsc(const struct fault *fault)
{
	switch (fault->type) {
	case FAULT_TRANSLATION:
	case FAULT_ADDRESS_SIZE:
	case FAULT_ACCESS_FLAG:
	case FAULT_PERMISSION:
	case FAULT_EXTERNAL_WALK:
		if (fault->level < 0)
			return level_codes[fault->type].level_m1;
		return level_codes[fault->type].base | ((unsigned)fault->level & 3);
	case FAULT_ALIGNMENT:
		return 0x21;
	case FAULT_EXTERNAL:
		return 0x10;
	case FAULT_NONE:
		break;
	}
	return 0x3f;
}

bool fault_to_el2(const struct fault *fault)
{
	return fault->stage == 2 && fault->type != FAULT_EXTERNAL;
}

uint64_t fault_hpfar(const struct fault *fault)
{
	return bits(fault->ipa, 51, 12) << 4;
}

bool fault_hpfar_valid(const struct fault *fault)
{
	if (fault->stage != 2)
		return false;
	if (fault->type == FAULT_PERMISSION)
		return fault->s1ptw;
	return fault->type == FAULT_TRANSLATION || fault->type == FAULT_ADDRESS_SIZE ||
	       fault->type == FAULT_ACCESS_FLAG;
}

uint64_t fault_par(const struct fault *fault)
{
	uint64_t par = UINT64_C(1) << 11 | (uint64_t)fault_fsc(fault) << 1 | 1;

	if (fault->s1ptw)
		par |= UINT64_C(1) << 8;
	if (fault->stage == 2)
		par |= UINT64_C(1) << 9;
	return par;
}

uint64_t fault_par_success(uint64_t pa, uint8_t attr, uint8_t sh)
{
	return (uint64_t)attr << 56 | bits(pa, 51, 12) << 12 | UINT64_C(1) << 11 |
	       UINT64_C(1) << 9 | (uint64_t)(sh & 3) << 7;
}

uint64_t fault_esr(const struct fault *fault, enum access_kind kind, unsigned from_el,
		   unsigned to_el)
{
	uint64_t ec = kind == ACCESS_FETCH ? 0x20 : 0x24;
	uint64_t esr;

	if (from_el == to_el)
		ec |= 1;
	esr = ec << 26 | UINT64_C(1) << 25 | fault_fsc(fault);
	if (kind == ACCESS_STORE)
		esr |= UINT64_C(1) << 6;
	if (fault->s1ptw)
		esr |= UINT64_C(1) << 7;
	return esr;
}
