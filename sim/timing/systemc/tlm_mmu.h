/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MMU as a TLM-2.0 module for other platforms (docs/examples/tlm). C++17.
 *
 *   va      target: accesses by VA. A load is TLM_READ_COMMAND, a store TLM_WRITE_COMMAND; an
 *           mmu_access extension says what is a fetch and at which exception level, else it is EL0
 *           data. An access may not cross 4 KiB: TLM_BURST_ERROR_RESPONSE.
 *   pa      initiator: the same accesses by PA.
 *   table   initiator: reads of descriptors, 8 bytes each, and their hardware updates.
 *
 * Faults are responses, and nothing goes out of `pa` then: TLM_ADDRESS_ERROR_RESPONSE for
 * translation and address size faults, TLM_COMMAND_ERROR_RESPONSE for permission, access flag and
 * alignment faults, TLM_GENERIC_ERROR_RESPONSE for external aborts of descriptor reads. The
 * extension says more, and fault() about the last one. Blocking transport adds to the delay what
 * descriptor reads take and `hit_time` for the look-up. Debug transport translates as an access
 * does, without time.
 *
 * Several threads may be inside b_transport() at once, each with a walk of its own, and `table` and
 * `pa` may wait. A walk that a TLBI overtakes ends as it began, and leaves nothing in the TLB.
 *
 * DMI is handed through for the page around a VA, with the permissions of the page, and
 * taken back by tlbi(), by set_registers(), and when the memory behind takes it back.
 */
#ifndef TWOSTAGE_TIMING_SYSTEMC_TLM_MMU_H
#define TWOSTAGE_TIMING_SYSTEMC_TLM_MMU_H

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include "timing/port.h"

struct mmu_access : tlm::tlm_extension<mmu_access> {
	bool fetch = false;
	uint8_t exception_level = 0; /* 0 or 1 */
	struct fault fault = {};     /* out: of this access, if it had one */

	tlm_extension_base *clone() const override;
	void copy_from(const tlm_extension_base &from) override;
};

class tlm_mmu : public sc_core::sc_module
{
public:
	tlm_utils::simple_target_socket<tlm_mmu> va;
	tlm_utils::simple_initiator_socket<tlm_mmu> pa, table;

	/* Throws std::bad_alloc. */
	tlm_mmu(const sc_core::sc_module_name &name, const mmu_port_config &config,
		const sc_core::sc_time &hit_time = sc_core::SC_ZERO_TIME);
	~tlm_mmu() override;
	tlm_mmu(const tlm_mmu &) = delete;
	tlm_mmu &operator=(const tlm_mmu &) = delete;

	void set_registers(const mmu_regs &regs);

	/* As mmu_port_invalidate(). */
	void tlbi(uint64_t first, uint64_t last);

	/* Of the last access that had one, whichever thread's; fault_fsc() of it is the status code
	 * for ESR_ELx. */
	const struct fault &fault() const
	{
		return last_fault;
	}

private:
	static bool read_descriptor(void *self, void *delay, uint64_t address,
				    uint64_t *descriptor);
	static bool write_descriptor(void *self, void *delay, uint64_t address,
				     uint64_t descriptor);
	bool descriptor(tlm::tlm_generic_payload &payload, sc_core::sc_time *delay);
	/* delay: null for debug transport */
	bool translate(tlm::tlm_generic_payload &payload, sc_core::sc_time *delay,
		       mmu_port_result *result);
	void transport(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
	unsigned debug(tlm::tlm_generic_payload &payload);
	bool direct(tlm::tlm_generic_payload &payload, tlm::tlm_dmi &dmi);
	void memory_takes_back(sc_dt::uint64 first, sc_dt::uint64 last);

	mmu_port *port;
	sc_core::sc_time hit_time;
	struct fault last_fault;
};

#endif
