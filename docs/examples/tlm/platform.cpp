// SPDX-License-Identifier: BSD-2-Clause
// A platform with twostage's MMU in it:
//
//     core ── va ► tlm_mmu ── pa ────► memory
//                     └────── table ─►
//
// The core is a thread that makes accesses by VA and says what came of them.
#include <cstdio>
#include <cstring>
#include <vector>

#include <tlm_utils/simple_target_socket.h>

#include "tables.h"
#include "timing/systemc/tlm_mmu.h"

using sc_core::sc_time;

struct memory : sc_core::sc_module {
	tlm_utils::simple_target_socket<memory> data, tables;
	std::vector<unsigned char> bytes;
	unsigned descriptor_reads = 0;

	explicit memory(const sc_core::sc_module_name &name)
		: sc_module(name), data("data"), tables("tables"), bytes(MEMORY_BYTES)
	{
		data.register_b_transport(this, &memory::access);
		data.register_get_direct_mem_ptr(this, &memory::direct);
		tables.register_b_transport(this, &memory::read_table);
		tables.register_transport_dbg(this, &memory::peek);
	}

	unsigned peek(tlm::tlm_generic_payload &payload)
	{
		const uint64_t offset = payload.get_address() - MEMORY_BASE;
		const unsigned n = payload.get_data_length();

		if (offset + n > bytes.size())
			return 0;
		if (payload.is_write())
			std::memcpy(&bytes[offset], payload.get_data_ptr(), n);
		else
			std::memcpy(payload.get_data_ptr(), &bytes[offset], n);
		return n;
	}

	void access(tlm::tlm_generic_payload &payload, sc_time &delay)
	{
		const bool done = peek(payload) == payload.get_data_length();

		delay += sc_time(10, sc_core::SC_NS);
		payload.set_response_status(done ? tlm::TLM_OK_RESPONSE
						 : tlm::TLM_ADDRESS_ERROR_RESPONSE);
	}

	void read_table(tlm::tlm_generic_payload &payload, sc_time &delay)
	{
		descriptor_reads++;
		access(payload, delay);
	}

	bool direct(tlm::tlm_generic_payload &, tlm::tlm_dmi &dmi)
	{
		dmi.set_dmi_ptr(bytes.data());
		dmi.set_start_address(MEMORY_BASE);
		dmi.set_end_address(MEMORY_BASE + MEMORY_BYTES - 1);
		dmi.allow_read_write();
		return true;
	}
};

struct core : sc_core::sc_module {
	tlm_utils::simple_initiator_socket<core> port;
	tlm_mmu &mmu;
	memory &ram;

	SC_HAS_PROCESS(core);

	core(const sc_core::sc_module_name &name, tlm_mmu &mmu_, memory &ram_)
		: sc_module(name), port("port"), mmu(mmu_), ram(ram_)
	{
		port.register_invalidate_direct_mem_ptr(this, &core::direct_is_over);
		SC_THREAD(live);
	}

	void direct_is_over(sc_dt::uint64 first, sc_dt::uint64 last)
	{
		std::printf("no DMI any more for %#llx..%#llx\n", first, last);
	}

	void access(tlm::tlm_command command, uint64_t va, uint64_t *value)
	{
		const unsigned before = ram.descriptor_reads;
		tlm::tlm_generic_payload payload;
		sc_time delay;

		payload.set_command(command);
		payload.set_address(va);
		payload.set_data_ptr(reinterpret_cast<unsigned char *>(value));
		payload.set_data_length(sizeof(*value));
		payload.set_streaming_width(sizeof(*value));
		port->b_transport(payload, delay);
		wait(delay);
		std::printf("%s %#llx: %s, %u descriptor reads, %.0f ns",
			    payload.is_write() ? "store" : "load",
			    static_cast<unsigned long long>(va),
			    payload.get_response_string().c_str(), ram.descriptor_reads - before,
			    delay.to_seconds() * 1e9);
		if (payload.is_response_error())
			std::printf(", status code %#x", fault_fsc(&mmu.fault()));
		std::printf(", value %llu\n", static_cast<unsigned long long>(*value));
	}

	void direct_store(uint64_t va, uint64_t value)
	{
		tlm::tlm_generic_payload payload;
		tlm::tlm_dmi dmi;

		payload.set_command(tlm::TLM_WRITE_COMMAND);
		payload.set_address(va);
		if (!port->get_direct_mem_ptr(payload, dmi) || !dmi.is_write_allowed())
			return;
		std::printf("DMI for %#llx..%#llx\n", dmi.get_start_address(),
			    dmi.get_end_address());
		std::memcpy(dmi.get_dmi_ptr() + (va - dmi.get_start_address()), &value,
			    sizeof(value));
	}

	void live()
	{
		uint64_t value = 42;

		access(tlm::TLM_WRITE_COMMAND, VA_PAGE + 8, &value);
		value = 0;
		access(tlm::TLM_READ_COMMAND, VA_PAGE + 8, &value);
		access(tlm::TLM_WRITE_COMMAND, VA_READ_ONLY, &value);
		access(tlm::TLM_READ_COMMAND, VA_UNMAPPED, &value);
		direct_store(VA_BLOCK + 0x100000, 7);
		access(tlm::TLM_READ_COMMAND, VA_BLOCK + 0x100000, &value);
		tables_move_page(ram.bytes.data());
		access(tlm::TLM_READ_COMMAND, VA_PAGE + 8, &value);
		mmu.tlbi(VA_PAGE, VA_PAGE + 4095);
		access(tlm::TLM_READ_COMMAND, VA_PAGE + 8, &value);
	}
};

int sc_main(int, char **)
{
	// A core of Armv8.4 or so: 48-bit PAs, all granules, hardware access flag.
	const mmu_port_config config = {
		{ 0x32310201126, 0x10212122, 0x1021011010011011, 0x200000000000000 }, 32
	};
	mmu_regs regs;
	memory ram("ram");
	tlm_mmu mmu("mmu", config);
	core cpu("core", mmu, ram);

	cpu.port.bind(mmu.va);
	mmu.pa.bind(ram.data);
	mmu.table.bind(ram.tables);
	tables_build(ram.bytes.data(), &regs);
	mmu.set_registers(regs);
	sc_core::sc_start();
	return 0;
}
