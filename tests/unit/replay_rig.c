/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay_rig.h"

struct builder *builder_make(void)
{
	struct builder *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->block = (struct trace_block){
		.keys = b->keys,
		.events = b->events,
		.key = b->key,
		.first_store = b->first_store,
		.ordinal = b->ordinal,
		.store_ordinal = b->store_ordinal,
	};
	return b;
}

void add_record(struct builder *b, struct trace_key key, uint64_t ordinal, uint64_t store)
{
	const uint32_t i = b->block.n_records++;
	uint16_t k = 0;

	assert_true(i < MAX_RECORDS);
	key.ipa = TRACE_IPA_UNKNOWN;
	while (k < b->block.n_keys && memcmp(&b->keys[k], &key, sizeof(key)) != 0)
		k++;
	if (k == b->block.n_keys) {
		assert_true(k < MAX_KEYS);
		b->keys[b->block.n_keys++] = key;
	}
	b->key[i] = k;
	b->ordinal[i] = ordinal;
	b->store_ordinal[i] = store;
	b->first_store[i] = store == ordinal;
}

void add_event(struct builder *b, struct trace_event event)
{
	event.before = b->block.n_records;
	assert_true(b->block.n_events < MAX_EVENTS);
	b->events[b->block.n_events++] = event;
}

struct trace_key data_key(uint64_t va)
{
	struct trace_key key;

	/* Padding counts in the comparison of keys. */
	memset(&key, 0, sizeof(key));
	key.va = va;
	key.asid = 1;
	key.stream = STREAM_DATA;
	return key;
}

/* ---- a replay
 * --------------------------------------------------------------------------------------- */

struct session *session_make(const char *settings, uint32_t vcpus, uint32_t vms,
			     enum trace_granularity granularity)
{
	const struct trace_info info = { .granularity = granularity };
	struct session *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->diag = (struct diag)DIAG_INIT;
	s->rig = rig_make(settings, vcpus, vms);
	assert_int_equal(replay_init(&s->replay, &s->rig->machine, NULL, &info, &s->diag),
			 STATUS_OK);
	return s;
}

void session_destroy(struct session *s)
{
	replay_fini(&s->replay);
	rig_destroy(s->rig);
	free(s);
}

struct stats session_run(struct session *s, const struct builder *b)
{
	if (replay_block(&s->replay, &b->block) != STATUS_OK)
		fail_msg("%s", s->diag.text);
	assert_int_equal(replay_finish(&s->replay), STATUS_OK);
	rig_finish(s->rig);
	return rig_stats(s->rig);
}

void assert_same(const struct stats *a, const struct stats *b, const char *what)
{
	for (unsigned i = 0; i < STAT_COUNT; i++)
		if (a->v[i] != b->v[i])
			fail_msg("%s: %s is %llu and %llu", what, stat_rows[i].name,
				 (unsigned long long)a->v[i], (unsigned long long)b->v[i]);
}
