/* SPDX-License-Identifier: BSD-2-Clause */
#include "naive_lru.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page of one address space. */
struct page {
	uint64_t number;
	uint16_t vm, asid;
};

struct list {
	unsigned size, capacity;
	struct page *page; /* youngest first */
};

struct tlbs {
	struct list l1[2]; /* by stream */
	struct list *l2;
};

struct lru {
	const struct naive_lru_config *config;
	struct tlbs *vcpu;
	unsigned vcpus;
	struct naive_lru_counts counts;
};

static void *checked(void *memory)
{
	if (!memory) {
		fprintf(stderr, "naive_lru: out of memory\n");
		exit(70);
	}
	return memory;
}

static struct list list_create(unsigned capacity)
{
	return (struct list){ 0, capacity, checked(calloc(capacity + 1, sizeof(struct page))) };
}

/* Makes `page` the youngest; true if it was there. */
static bool touch(struct list *list, struct page page)
{
	unsigned i = 0;
	bool hit;

	while (i < list->size && (list->page[i].number != page.number ||
				  list->page[i].vm != page.vm || list->page[i].asid != page.asid))
		i++;
	hit = i < list->size;
	if (!hit && list->size < list->capacity)
		list->size++;
	memmove(&list->page[1], &list->page[0], i * sizeof(page));
	list->page[0] = page;
	return hit;
}

static struct tlbs *tlbs_of(struct lru *lru, unsigned vcpu)
{
	const struct naive_lru_config *config = lru->config;

	while (lru->vcpus <= vcpu) {
		struct tlbs *t;

		lru->vcpu = checked(realloc(lru->vcpu, (lru->vcpus + 1) * sizeof(*lru->vcpu)));
		t = &lru->vcpu[lru->vcpus++];
		t->l1[0] = list_create(config->l1_entries);
		t->l1[1] = list_create(config->l1_entries);
		t->l2 = config->l2_sets ? checked(calloc(config->l2_sets, sizeof(*t->l2))) : NULL;
		for (unsigned i = 0; i < config->l2_sets; i++)
			t->l2[i] = list_create(config->l2_ways);
	}
	return &lru->vcpu[vcpu];
}

static void look_up(struct lru *lru, const struct trace_key *key, uint64_t times)
{
	const struct naive_lru_config *config = lru->config;
	struct tlbs *t = tlbs_of(lru, key->vcpu);
	bool kernel = key->va >> 55 & 1;
	struct page page = { key->va >> 12, key->vm, kernel ? 0 : key->asid };
	bool data = key->stream == STREAM_DATA;
	struct list *l2 = config->l2_sets ? &t->l2[page.number % config->l2_sets] : NULL;
	bool hit = touch(&t->l1[data && !config->unified_l1], page);

	*(data ? &lru->counts.l1d_lookups : &lru->counts.l1i_lookups) += times;
	if (!hit) {
		*(data ? &lru->counts.l1d_misses : &lru->counts.l1i_misses) += 1;
		if (!l2 || !touch(l2, page))
			lru->counts.l2_misses++;
	} else if (l2 && config->l1_hits_reach_l2) {
		touch(l2, page);
	}
}

static void lru_free(struct lru *lru)
{
	for (unsigned v = 0; v < lru->vcpus; v++) {
		free(lru->vcpu[v].l1[0].page);
		free(lru->vcpu[v].l1[1].page);
		for (unsigned i = 0; i < lru->config->l2_sets; i++)
			free(lru->vcpu[v].l2[i].page);
		free(lru->vcpu[v].l2);
	}
	free(lru->vcpu);
}

static void fail(const struct diag *diag)
{
	fprintf(stderr, "naive_lru: %s: %s\n", diag->place, diag->text);
	exit((int)diag->status);
}

struct naive_lru_counts naive_lru_run(const char *path, const struct naive_lru_config *config)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader = trace_open(path, false, &diag);
	struct trace_block block = { 0 };
	struct lru lru = { .config = config };

	if (!reader)
		fail(&diag);
	for (uint64_t b = 0; b < trace_info(reader)->blocks; b++) {
		if (trace_read_block(reader, b, COLUMN_KEY | COLUMN_COUNTS, &block, &diag))
			fail(&diag);
		for (uint32_t i = 0; i < block.n_records; i++)
			look_up(&lru, &block.keys[block.key[i]],
				(uint64_t)block.reads[i] + block.stores[i] + block.splits[i]);
	}
	trace_block_free(&block);
	trace_close(reader);
	lru_free(&lru);
	return lru.counts;
}
