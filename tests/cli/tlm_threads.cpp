// SPDX-License-Identifier: BSD-2-Clause
// Several threads inside the MMU at once, with a memory that waits for each read: what a thread
// finds must not depend on the others, and a walk that a TLBI overtakes must leave nothing behind.
// Tables are those of docs/examples/tlm.
#include <cstdio>
#include <cstring>
#include <vector>

#include <tlm_utils/simple_target_socket.h>

#include "tables.h"
#include "timing/systemc/tlm_mmu.h"

using sc_core::SC_NS;
using sc_core::sc_time;

namespace
{

// PAs of what the tables map, and of the page that takes VA_PAGE's place.
const uint64_t PA_PAGE = 0x80200000, PA_MOVED = 0x80203000, PA_BLOCK = 0x80400000;

struct memory : sc_core::sc_module {
	tlm_utils::simple_target_socket<memory> data, tables;
	std::vector<unsigned char> bytes;

	explicit memory(const sc_core::sc_module_name &name)
		: sc_module(name), data("data"), tables("tables"), bytes(MEMORY_BYTES)
	{
		data.register_b_transport(this, &memory::access);
		tables.register_b_transport(this, &memory::access);
		tables.register_transport_dbg(this, &memory::peek);
		data.register_transport_dbg(this, &memory::peek);
	}

	void put(uint64_t pa, uint64_t value)
	{
		std::memcpy(&bytes[pa - MEMORY_BASE], &value, sizeof(value));
	}

	unsigned peek(tlm::tlm_generic_payload &payload)
	{
		std::memcpy(payload.get_data_ptr(), &bytes[payload.get_address() - MEMORY_BASE],
			    payload.get_data_length());
		return payload.get_data_length();
	}

	void access(tlm::tlm_generic_payload &payload, sc_time &delay)
	{
		wait(delay + sc_time(10, SC_NS));
		delay = sc_core::SC_ZERO_TIME;
		peek(payload);
		payload.set_response_status(tlm::TLM_OK_RESPONSE);
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
		SC_THREAD(first);
		SC_THREAD(second);
		SC_THREAD(debugger);
		SC_THREAD(mover);
	}

	void prepare(tlm::tlm_generic_payload &payload, uint64_t va, uint64_t *value)
	{
		payload.set_command(tlm::TLM_READ_COMMAND);
		payload.set_address(va);
		payload.set_data_ptr(reinterpret_cast<unsigned char *>(value));
		payload.set_data_length(sizeof(*value));
		payload.set_streaming_width(sizeof(*value));
	}

	void load(const char *who, uint64_t va)
	{
		tlm::tlm_generic_payload payload;
		mmu_access about;
		uint64_t value = 0;
		sc_time delay;

		prepare(payload, va, &value);
		payload.set_extension(&about);
		port->b_transport(payload, delay);
		wait(delay);
		std::printf("%.0f ns, %s: %s, status code %#x, value %llu\n",
			    sc_core::sc_time_stamp().to_seconds() * 1e9, who,
			    payload.get_response_string().c_str(),
			    about.fault.type == FAULT_NONE ? 0u : fault_fsc(&about.fault),
			    static_cast<unsigned long long>(value));
		payload.clear_extension(&about);
	}

	void first()
	{
		load("first", VA_PAGE);
		load("first", VA_PAGE);
		load("first", VA_PAGE);
	}

	void second()
	{
		wait(5, SC_NS);
		load("second", VA_BLOCK);
		load("second", VA_BLOCK);
		load("second", VA_UNMAPPED);
	}

	// Without time, in the middle of the others' walks.
	void debugger()
	{
		tlm::tlm_generic_payload payload;
		uint64_t value = 0;

		wait(33, SC_NS);
		prepare(payload, VA_BLOCK, &value);

		const unsigned n = port->transport_dbg(payload);

		std::printf("33 ns, debugger: %u bytes, value %llu\n", n,
			    static_cast<unsigned long long>(value));
	}

	// The first thread has read its leaf of stage 1, and has yet to find that page in stage 2.
	void mover()
	{
		wait(97, SC_NS);
		tables_move_page(ram.bytes.data());
		mmu.tlbi(VA_PAGE, VA_PAGE + 4095);
	}
};

} // namespace

int sc_main(int, char **)
{
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
	ram.put(PA_PAGE, 42);
	ram.put(PA_MOVED, 43);
	ram.put(PA_BLOCK, 7);
	mmu.set_registers(regs);
	sc_core::sc_start();
	return 0;
}
