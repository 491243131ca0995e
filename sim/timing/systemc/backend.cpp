// SPDX-License-Identifier: BSD-2-Clause
// The machine that replays the events of the vCPUs in time. A core is a walker with one read at a
// time; what it does by itself, its own caches' hits among it, comes as cycles between its events.
//
//     core 0 ──┐
//     core 1 ──┼── interconnect ── LLC ── DRAM
//       ...    │        │
//     core n ──┘        └── DVM ──► all other cores
//
// Transactions carry no data: what a descriptor says is known already. A target adds to the delay
// of the transaction and notes in its extension what it found.
#include "timing/systemc.h"

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_initiator_socket.h>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include "mmu/listener.h"
#include "timing/systemc/calendar.h"

using sc_core::sc_time;
using tlm::tlm_generic_payload;

// The library's own main() wants it; ours is in C and calls systemc_create() instead.
int sc_main(int, char **)
{
	return 0;
}

namespace
{

sc_time time_of(uint64_t cycles)
{
	return sc_time::from_value(cycles);
}

uint64_t cycles_of(const sc_time &time)
{
	return time.value();
}

// Of a request that comes with so much delay.
uint64_t arrival(const sc_time &delay)
{
	return cycles_of(sc_core::sc_time_stamp()) + cycles_of(delay);
}

struct note : tlm::tlm_extension<note> {
	bool broadcast = false;	   // a DVM message instead of a read
	bool cacheable = true;	   // of a read
	latency_result found = {}; // what the shared levels say to a read
	uint64_t waited = 0;	   // cycles, because something was busy
	uint64_t held = 0;	   // of these, in the way of those behind, since a queue was full

	tlm_extension_base *clone() const override
	{
		return new note(*this);
	}

	void copy_from(const tlm_extension_base &from) override
	{
		*this = static_cast<const note &>(from);
	}
};

note &note_of(const tlm_generic_payload &payload)
{
	return *payload.get_extension<note>();
}

// One request after the other, at a distance; those that find the queue full wait before it.
class server
{
public:
	server(uint32_t cycles_, uint32_t depth_) : cycles(cycles_), depth(depth_)
	{
	}

	void pass(note &request, sc_time &delay)
	{
		if (!cycles)
			return;

		const uint64_t at = arrival(delay);

		busy.forget_before(at - cycles_of(delay));

		const uint64_t wait = busy.reserve(at, cycles) - at;
		const uint64_t queued = static_cast<uint64_t>(depth) * cycles;

		if (!wait)
			return;
		delay += time_of(wait);
		request.waited += wait;
		request.held += depth && wait > queued ? wait - queued : 0;
	}

private:
	calendar busy;
	uint64_t cycles;
	uint32_t depth;
};

class dram : public sc_core::sc_module
{
public:
	tlm_utils::passthrough_target_socket<dram> port;

	dram(const sc_core::sc_module_name &name, const timing_config &config)
		: sc_module(name), port("port"),
		  channel(config.dram.request_cycles, config.dram.queue_depth)
	{
		port.register_b_transport(this, &dram::transport);
	}

private:
	void transport(tlm_generic_payload &payload, sc_time &delay)
	{
		note &read = note_of(payload);

		channel.pass(read, delay);
		delay += time_of(read.found.cycles);
		payload.set_response_status(tlm::TLM_OK_RESPONSE);
	}

	server channel;
};

class last_level : public sc_core::sc_module
{
public:
	tlm_utils::passthrough_target_socket<last_level> port;
	tlm_utils::simple_initiator_socket<last_level> memory;

	last_level(const sc_core::sc_module_name &name, const timing_config &config)
		: sc_module(name), port("port"), memory("memory"), latency(config.latency),
		  pipeline(config.llc.request_cycles, config.llc.queue_depth)
	{
		const latency_config shared = latency_shared(&config.latency_config);

		state.resize(latency->state_bytes(&shared) / sizeof(state[0]) + 1);
		latency->init(state.data(), &shared);
		port.register_b_transport(this, &last_level::transport);
	}

private:
	void transport(tlm_generic_payload &payload, sc_time &delay)
	{
		note &read = note_of(payload);

		pipeline.pass(read, delay);
		read.found =
			latency->read(state.data(), pa_of(payload.get_address()), read.cacheable);
		if (read.found.found_in == FOUND_DRAM) {
			memory->b_transport(payload, delay);
			return;
		}
		delay += time_of(read.found.cycles);
		payload.set_response_status(tlm::TLM_OK_RESPONSE);
	}

	const latency_ops *latency;
	std::vector<uint64_t> state;
	server pipeline;
};

class interconnect : public sc_core::sc_module
{
public:
	tlm_utils::multi_passthrough_target_socket<interconnect> cores;
	tlm_utils::multi_passthrough_initiator_socket<interconnect> snoops; // in the same order
	tlm_utils::simple_initiator_socket<interconnect> memory;

	interconnect(const sc_core::sc_module_name &name, const timing_config &config)
		: sc_module(name), cores("cores"), snoops("snoops"), memory("memory"),
		  latency(time_of(config.interconnect.latency_cycles)),
		  request_cycles(config.interconnect.request_cycles),
		  dvm_cycles(static_cast<uint64_t>(config.interconnect.dvm_cycles) *
			     (config.vcpus - 1))
	{
		cores.register_b_transport(this, &interconnect::transport);
	}

private:
	// Takes the interconnect for so long, as soon as it is free.
	void enter(note &request, sc_time &delay, uint64_t cycles)
	{
		if (!cycles && busy.empty())
			return;

		const uint64_t at = arrival(delay);

		busy.forget_before(at - cycles_of(delay));

		const uint64_t wait = (cycles ? busy.reserve(at, cycles) : busy.free_at(at)) - at;

		if (!wait)
			return;
		request.waited += wait;
		delay += time_of(wait);
	}

	void transport(int id, tlm_generic_payload &payload, sc_time &delay)
	{
		note &request = note_of(payload);

		if (request.broadcast) {
			broadcast(id, payload, delay);
			return;
		}

		enter(request, delay, request_cycles);

		const sc_time begin = delay;

		delay += latency;
		memory->b_transport(payload, delay);
		if (request.held)
			busy.hold(arrival(begin), request.held);
	}

	// All other cores answer before the next message, read or broadcast, goes out.
	void broadcast(int id, tlm_generic_payload &payload, sc_time &delay)
	{
		enter(note_of(payload), delay, dvm_cycles);
		delay += latency + time_of(dvm_cycles);
		for (unsigned i = 0; i < snoops.size(); i++) {
			sc_time arrival = delay;

			if (static_cast<int>(i) != id)
				snoops[static_cast<int>(i)]->b_transport(payload, arrival);
		}
		payload.set_response_status(tlm::TLM_OK_RESPONSE);
	}

	calendar busy;
	sc_time latency;
	uint64_t request_cycles, dvm_cycles;
};

class core : public sc_core::sc_module
{
public:
	tlm_utils::simple_initiator_socket<core> memory;
	tlm_utils::passthrough_target_socket<core> snoop;

	SC_HAS_PROCESS(core);

	core(const sc_core::sc_module_name &name, const timing_config &config,
	     const timing_counts &counts_)
		: sc_module(name), memory("memory"), snoop("snoop"), counts(counts_),
		  quantum(config.quantum_cycles)
	{
		payload.set_extension(&request);
		payload.set_data_ptr(data);
		payload.set_data_length(sizeof(data));
		payload.set_streaming_width(sizeof(data));
		snoop.register_b_transport(this, &core::answer);
		SC_THREAD(live);
		set_stack_size(128 * 1024);
	}

	void give(const timing_stream &stream_)
	{
		stream = stream_;
		if (stream.n || stream.rest)
			more.notify(sc_core::SC_ZERO_TIME);
	}

private:
	void live()
	{
		for (;;) {
			look_at_clock();
			for (size_t i = 0; i < stream.n; i++) {
				const timing_event &event = stream.events[i];

				local += event.passed;
				happen(static_cast<mmu_event_type>(event.what >>
								   MMU_EVENT_VALUE_BITS),
				       event.what & low_mask(MMU_EVENT_VALUE_BITS));
			}
			local += stream.rest;
			stream = {};
			synchronize();
			wait(more);
		}
	}

	// A quantum keeper (tlm_utils::tlm_quantumkeeper) in whole cycles: with several events
	// between two that others can see, arithmetic on sc_time would be most of the work.
	void look_at_clock()
	{
		now = local = cycles_of(sc_core::sc_time_stamp());
		end_of_quantum = (now / quantum + 1) * quantum;
	}

	void synchronize()
	{
		wait(time_of(local - now));
		look_at_clock();
	}

	void happen(mmu_event_type type, uint64_t value)
	{
		switch (type) {
		case MMU_EVENT_READ:
			read(value);
			return;
		case MMU_EVENT_WALK: {
			const uint64_t leaves = value & low_mask(MMU_WALK_CYCLES);

			walk.cycles += value >> MMU_WALK_CYCLES;
			account_time(&walk, counts.stats, counts.latencies,
				     static_cast<account_leaf>(leaves / LEAF_SIZES),
				     static_cast<account_leaf>(leaves % LEAF_SIZES));
			counts.stats->v[STAT_walk_wait_cycles] += waited;
			forget_walk();
			return;
		}
		case MMU_EVENT_RETRY:
			forget_walk();
			return;
		case MMU_EVENT_BROADCAST:
			request.broadcast = true;
			counts.stats->v[STAT_dvm_cycles] += send(0, tlm::TLM_IGNORE_COMMAND);
			request.broadcast = false;
			return;
		}
	}

	void forget_walk()
	{
		account_clear(&walk);
		waited = 0;
	}

	void read(uint64_t value)
	{
		request.cacheable = value >> MMU_READ_CACHEABLE & 1;

		const uint64_t cycles =
			send(value << 3 & low_mask(MMU_READ_PA_BITS + 3), tlm::TLM_READ_COMMAND);

		waited += request.waited;
		account_add_read(&walk, static_cast<uint8_t>(value >> MMU_READ_LEVEL & 15),
				 value >> MMU_READ_FINAL & 1,
				 { static_cast<uint32_t>(cycles), request.found.found_in });
	}

	// Returns the cycles that the transaction took.
	uint64_t send(uint64_t address, tlm::tlm_command command)
	{
		if (local >= end_of_quantum)
			synchronize();

		const uint64_t begin = local;
		sc_time delay = time_of(local - now);

		request.waited = request.held = 0;
		payload.set_command(command);
		payload.set_address(address);
		payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
		memory->b_transport(payload, delay);
		local = now + cycles_of(delay);
		return local - begin;
	}

	// The TLB entries are gone already, in the order of the trace; this is the acknowledgement.
	void answer(tlm_generic_payload &message, sc_time &)
	{
		message.set_response_status(tlm::TLM_OK_RESPONSE);
	}

	timing_stream stream = {};
	timing_counts counts;
	walk_account walk = {}; // reads of the one under way
	uint64_t waited = 0;	// in it
	uint64_t quantum;
	uint64_t now = 0, local = 0, end_of_quantum = 0; // local: of this core, ahead of now
	sc_core::sc_event more;
	tlm_generic_payload payload;
	note request;
	unsigned char data[8] = {};
};

void explain(const char *what, char *why, size_t why_bytes)
{
	std::snprintf(why, why_bytes, "%s", what);
}

} // namespace

struct systemc {
	interconnect fabric;
	last_level llc;
	dram channel;
	std::vector<std::unique_ptr<core>> cores;

	systemc(const timing_config &config, const timing_counts &counts)
		: fabric("interconnect", config), llc("llc", config), channel("dram", config)
	{
		for (uint32_t i = 0; i < config.vcpus; i++) {
			const std::string name = "core" + std::to_string(i);

			cores.push_back(std::make_unique<core>(name.c_str(), config, counts));
			cores.back()->memory.bind(fabric.cores);
			fabric.snoops.bind(cores.back()->snoop);
		}
		fabric.memory.bind(llc.port);
		llc.memory.bind(channel.port);
	}
};

struct systemc *systemc_create(const struct timing_config *config,
			       const struct timing_counts *counts, char *why, size_t why_bytes)
{
	try {
		// Nothing below the command line prints; errors still throw.
		sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
		sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING,
							sc_core::SC_DO_NOTHING);
		return new systemc(*config, *counts);
	} catch (const std::exception &e) {
		explain(e.what(), why, why_bytes);
	} catch (...) {
		explain("unknown exception", why, why_bytes);
	}
	return nullptr;
}

int systemc_replay(struct systemc *systemc, const struct timing_stream *streams, char *why,
		   size_t why_bytes)
{
	try {
		for (size_t i = 0; i < systemc->cores.size(); i++)
			systemc->cores[i]->give(streams[i]);
		sc_core::sc_start();
		return 0;
	} catch (const std::exception &e) {
		explain(e.what(), why, why_bytes);
	} catch (...) {
		explain("unknown exception", why, why_bytes);
	}
	return -1;
}
