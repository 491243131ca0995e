/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a resource that does one thing at a time is busy. With temporal decoupling requests do not
 * come in the order of their times: a vCPU that runs later may ask for an earlier time. So this
 * keeps the spans that are taken, and gives each request the first gap from its own time on,
 * instead of queueing it behind all that was asked before.
 */
#ifndef TWOSTAGE_TIMING_SYSTEMC_CALENDAR_H
#define TWOSTAGE_TIMING_SYSTEMC_CALENDAR_H

#include <cstddef>
#include <cstdint>
#include <vector>

class calendar
{
public:
	/* Nothing is taken that nobody has forgotten. */
	bool empty() const
	{
		return head == spans.size();
	}

	/* Nobody asks for a time before `now` any more. */
	void forget_before(uint64_t now)
	{
		while (head < spans.size() && spans[head].end <= now)
			head++;
		if (head > 64 && head > spans.size() / 2) {
			spans.erase(spans.begin(), spans.begin() + static_cast<ptrdiff_t>(head));
			head = 0;
		}
	}

	/* The first time from `at` on at which it is free. */
	uint64_t free_at(uint64_t at) const
	{
		const size_t i = first_after(at);

		return i < spans.size() && spans[i].begin <= at ? spans[i].end : at;
	}

	/* Takes the first gap of `cycles` from `at` on; returns where it begins. */
	uint64_t reserve(uint64_t at, uint64_t cycles)
	{
		size_t i = first_after(at);

		for (; i < spans.size() && spans[i].begin < at + cycles; i++)
			at = at > spans[i].end ? at : spans[i].end;
		if (cycles)
			insert(i, at, at + cycles);
		return at;
	}

	/* Busy from `at` on for `cycles`, whatever else it does then. */
	void hold(uint64_t at, uint64_t cycles)
	{
		uint64_t end = at + cycles;
		const size_t first = first_after(at);
		size_t i = first;

		for (; i < spans.size() && spans[i].begin < end; i++) {
			at = at < spans[i].begin ? at : spans[i].begin;
			end = end > spans[i].end ? end : spans[i].end;
		}
		spans.erase(spans.begin() + static_cast<ptrdiff_t>(first),
			    spans.begin() + static_cast<ptrdiff_t>(i));
		if (cycles)
			insert(first, at, end);
	}

private:
	struct span {
		uint64_t begin, end;
	};

	/* Index of the first span that ends after `at`. */
	size_t first_after(uint64_t at) const
	{
		size_t low = head, high = spans.size();

		while (low < high) {
			const size_t middle = low + (high - low) / 2;

			if (spans[middle].end > at)
				high = middle;
			else
				low = middle + 1;
		}
		return low;
	}

	/* Before span i, which begins no earlier than `end`. Spans that touch become one. */
	void insert(size_t i, uint64_t begin, uint64_t end)
	{
		const bool after = i > head && spans[i - 1].end == begin;
		const bool before = i < spans.size() && spans[i].begin == end;

		if (after && before) {
			spans[i - 1].end = spans[i].end;
			spans.erase(spans.begin() + static_cast<ptrdiff_t>(i));
		} else if (after) {
			spans[i - 1].end = end;
		} else if (before) {
			spans[i].begin = begin;
		} else {
			spans.insert(spans.begin() + static_cast<ptrdiff_t>(i), span{ begin, end });
		}
	}

	std::vector<span> spans; /* by time, none touches another; those before `head` are over */
	size_t head = 0;
};

#endif
