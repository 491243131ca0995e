/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chase [LOG2_NODES [STEPS]]: walks a linked list whose nodes lie in random order in memory (one
 * cycle, by Sattolo's shuffle), and adds up what the nodes hold.
 */
#include "memory.h"
#include "random.h"
#include "roi.h"

struct node {
	struct node *next;
	uint64_t key, value[6];
};

static void shuffle(struct node *nodes, uint64_t n)
{
	uint64_t state = 1;

	for (uint64_t i = 0; i < n; i++)
		nodes[i] = (struct node){ .next = &nodes[i], .key = i, .value = { i, i ^ 1, ~i } };
	for (uint64_t i = n - 1; i > 0; i--) {
		uint64_t j = random_next(&state) % i;
		struct node *other = nodes[j].next;

		nodes[j].next = nodes[i].next;
		nodes[i].next = other;
	}
}

int main(int argc, char **argv)
{
	const uint64_t n = UINT64_C(1) << argument(argc, argv, 1, 25);
	const uint64_t steps = argument(argc, argv, 2, n);
	struct node *nodes = memory_map(n, sizeof(*nodes)), *at = nodes;
	uint64_t sum = 0, odd = 0;

	shuffle(nodes, n);
	roi_begin();
	for (uint64_t i = 0; i < steps; i++) {
		odd += at->key & 1;
		sum += at->value[0] + at->value[1] + at->value[2];
		at = at->next;
	}
	roi_end();
	printf("%" PRIu64 " steps over %" PRIu64 " nodes, %" PRIu64 " odd, sum %016" PRIx64 "\n",
	       steps, n, odd, sum);
	return 0;
}
