// SPDX-License-Identifier: BSD-2-Clause
#include "timing/systemc/tlm_mmu.h"

#include <algorithm>
#include <new>

using sc_core::sc_time;
using tlm::tlm_generic_payload;

namespace
{

// PERM_R0 and so on of mmu/walk.h: EL1 in bits 0..2, EL0 in bits 3..5.
enum { READABLE = 1, WRITABLE = 2 };

const mmu_access el0_data;

const mmu_access &access_of(const tlm_generic_payload &payload)
{
	const mmu_access *access = payload.get_extension<mmu_access>();

	return access ? *access : el0_data;
}

access_kind kind_of(const tlm_generic_payload &payload)
{
	if (access_of(payload).fetch)
		return ACCESS_FETCH;
	return payload.is_write() ? ACCESS_STORE : ACCESS_LOAD;
}

tlm::tlm_response_status response_of(fault_type type)
{
	switch (type) {
	case FAULT_NONE:
		return tlm::TLM_OK_RESPONSE;
	case FAULT_TRANSLATION:
	case FAULT_ADDRESS_SIZE:
		return tlm::TLM_ADDRESS_ERROR_RESPONSE;
	case FAULT_ACCESS_FLAG:
	case FAULT_PERMISSION:
	case FAULT_ALIGNMENT:
		return tlm::TLM_COMMAND_ERROR_RESPONSE;
	case FAULT_EXTERNAL_WALK:
	case FAULT_EXTERNAL:
		break;
	}
	return tlm::TLM_GENERIC_ERROR_RESPONSE;
}

} // namespace

tlm::tlm_extension_base *mmu_access::clone() const
{
	return new mmu_access(*this);
}

void mmu_access::copy_from(const tlm_extension_base &from)
{
	*this = static_cast<const mmu_access &>(from);
}

tlm_mmu::tlm_mmu(const sc_core::sc_module_name &name, const mmu_port_config &config,
		 const sc_time &hit_time_)
	: sc_module(name), va("va"), pa("pa"), table("table"), hit_time(hit_time_), last_fault()
{
	const mmu_port_bus bus = { this, read_descriptor, write_descriptor };

	port = mmu_port_create(&config, &bus);
	if (!port)
		throw std::bad_alloc();
	va.register_b_transport(this, &tlm_mmu::transport);
	va.register_transport_dbg(this, &tlm_mmu::debug);
	va.register_get_direct_mem_ptr(this, &tlm_mmu::direct);
	pa.register_invalidate_direct_mem_ptr(this, &tlm_mmu::memory_takes_back);
}

tlm_mmu::~tlm_mmu()
{
	mmu_port_destroy(port);
}

void tlm_mmu::set_registers(const mmu_regs &regs)
{
	mmu_port_set(port, &regs);
	if (sc_core::sc_is_running())
		va->invalidate_direct_mem_ptr(0, UINT64_MAX);
}

void tlm_mmu::tlbi(uint64_t first, uint64_t last)
{
	mmu_port_invalidate(port, first, last);
	va->invalidate_direct_mem_ptr(first, last);
}

// A transaction of `table` for one descriptor.
static void set_up(tlm_generic_payload &payload, tlm::tlm_command command, uint64_t address,
		   uint64_t *value)
{
	payload.set_command(command);
	payload.set_address(address);
	payload.set_data_ptr(reinterpret_cast<unsigned char *>(value));
	payload.set_data_length(sizeof(*value));
	payload.set_streaming_width(sizeof(*value));
}

bool tlm_mmu::read_descriptor(void *self, void *delay, uint64_t address, uint64_t *descriptor)
{
	tlm_generic_payload payload;

	set_up(payload, tlm::TLM_READ_COMMAND, address, descriptor);
	return static_cast<tlm_mmu *>(self)->descriptor(payload, static_cast<sc_time *>(delay));
}

bool tlm_mmu::write_descriptor(void *self, void *delay, uint64_t address, uint64_t descriptor)
{
	tlm_generic_payload payload;

	set_up(payload, tlm::TLM_WRITE_COMMAND, address, &descriptor);
	return static_cast<tlm_mmu *>(self)->descriptor(payload, static_cast<sc_time *>(delay));
}

bool tlm_mmu::descriptor(tlm_generic_payload &payload, sc_time *delay)
{
	if (!delay)
		return table->transport_dbg(payload) == payload.get_data_length();
	table->b_transport(payload, *delay);
	return payload.is_response_ok();
}

bool tlm_mmu::translate(tlm_generic_payload &payload, sc_time *delay, mmu_port_result *result)
{
	mmu_access *extension = payload.get_extension<mmu_access>();
	const mmu_port_access access = { payload.get_address(), kind_of(payload),
					 access_of(payload).exception_level, delay };

	mmu_port_translate(port, &access, result);
	if (extension)
		extension->fault = result->fault;
	if (result->fault.type == FAULT_NONE)
		return true;
	last_fault = result->fault;
	payload.set_response_status(response_of(result->fault.type));
	return false;
}

void tlm_mmu::transport(tlm_generic_payload &payload, sc_time &delay)
{
	const uint64_t address = payload.get_address();
	mmu_port_result result;

	if ((address & 4095) + payload.get_data_length() > 4096) {
		payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
		return;
	}
	delay += hit_time;
	if (!translate(payload, &delay, &result))
		return;
	payload.set_address(result.pa);
	pa->b_transport(payload, delay);
	payload.set_address(address);
	payload.set_dmi_allowed(payload.is_dmi_allowed() && payload.is_response_ok());
}

unsigned tlm_mmu::debug(tlm_generic_payload &payload)
{
	const uint64_t address = payload.get_address();
	mmu_port_result result;
	unsigned n;

	if ((address & 4095) + payload.get_data_length() > 4096 ||
	    !translate(payload, nullptr, &result))
		return 0;
	payload.set_address(result.pa);
	n = pa->transport_dbg(payload);
	payload.set_address(address);
	return n;
}

// What the memory grants, cut to the page, and named by VA.
bool tlm_mmu::direct(tlm_generic_payload &payload, tlm::tlm_dmi &dmi)
{
	const uint64_t address = payload.get_address();
	mmu_port_result result;

	if (!translate(payload, nullptr, &result)) {
		dmi.allow_none();
		return false;
	}
	payload.set_address(result.pa);
	const bool granted = pa->get_direct_mem_ptr(payload, dmi);
	payload.set_address(address);

	const uint64_t last = result.first_pa + (result.n_bytes - 1);
	const uint64_t begin = std::max<uint64_t>(dmi.get_start_address(), result.first_pa);
	const uint64_t end = std::min<uint64_t>(dmi.get_end_address(), last);
	const unsigned perms =
		access_of(payload).exception_level ? result.perms : result.perms >> 3;

	if (!granted || begin > end) {
		dmi.set_start_address(result.first_va);
		dmi.set_end_address(result.first_va + (result.n_bytes - 1));
		return false;
	}
	dmi.set_dmi_ptr(dmi.get_dmi_ptr() + (begin - dmi.get_start_address()));
	dmi.set_start_address(result.first_va + (begin - result.first_pa));
	dmi.set_end_address(result.first_va + (end - result.first_pa));
	if (!(perms & READABLE) || !dmi.is_read_allowed())
		dmi.set_granted_access(tlm::tlm_dmi::DMI_ACCESS_NONE);
	else if (kind_of(payload) != ACCESS_STORE || !(perms & WRITABLE) || !dmi.is_write_allowed())
		dmi.set_granted_access(tlm::tlm_dmi::DMI_ACCESS_READ);
	return dmi.is_read_allowed();
}

// Which VAs lead there is not known.
void tlm_mmu::memory_takes_back(sc_dt::uint64, sc_dt::uint64)
{
	va->invalidate_direct_mem_ptr(0, UINT64_MAX);
}
