/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A real guest: traces/guest-image, recorded under QEMU with the memory of the machine at its end.
 * Each address of the trace must translate, by the kernel's own tables in that memory and KVM's
 * stage 2, to the IPA that QEMU recorded, and to a PA with the contents of that IPA.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include <zstd.h>

#include "mmu/walk.h"
#include "os/guest_image.h"
#include "rig.h"
#include "run/point.h"
#include "tests/repro/scratch.h"
#include "trace/trace.h"

#define TRACE "traces/guest-image"

/* ---- the files ---------------------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
	char bytes[4096];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	size_t n;

	assert_non_null(in);
	assert_non_null(out);
	while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
		assert_int_equal(fwrite(bytes, 1, n, out), n);
	assert_int_equal(fclose(in) | fclose(out), 0);
}

static bool is_zero(const unsigned char *bytes, size_t n)
{
	return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

/* With holes for zeroes: most of it is never written. */
static void unpack(const char *from, const char *to)
{
	enum { IN = 1 << 17, OUT = 1 << 16 };
	static unsigned char in_bytes[IN], out_bytes[OUT];
	FILE *in = fopen(from, "rb");
	const int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	ZSTD_inBuffer input = { in_bytes, 0, 0 };
	off_t at = 0;

	assert_non_null(in);
	assert_true(fd >= 0);
	assert_non_null(zstd);
	while ((input.size = fread(in_bytes, 1, IN, in)) > 0) {
		ZSTD_outBuffer output = { out_bytes, OUT, OUT };

		/* A full output buffer means that there may be more. */
		for (input.pos = 0; input.pos < input.size || output.pos == output.size;) {
			output.pos = 0;
			assert_false(ZSTD_isError(ZSTD_decompressStream(zstd, &output, &input)));
			if (!is_zero(out_bytes, output.pos))
				assert_int_equal(pwrite(fd, out_bytes, output.pos, at), output.pos);
			at += (off_t)output.pos;
		}
	}
	assert_int_equal(ftruncate(fd, at), 0);
	ZSTD_freeDCtx(zstd);
	fclose(in);
	close(fd);
}

static int set_up(void **state)
{
	if (scratch_create(state) != 0)
		return -1;
	unpack(TRACE ".img.zst", scratch_path("guest.img"));
	copy_file(TRACE ".img.regs", scratch_path("guest.img.regs"));
	return 0;
}

static struct config config_of(const char *settings)
{
	char image[512];

	snprintf(image, sizeof(image), "guest.image=%s", scratch_path("guest.img"));
	return rig_config2(settings, image);
}

/* ---- every address of the trace ----------------------------------------------------------- */

/* One machine, and the image as it was. */
struct world {
	struct rig *rig;
	struct guest_image *image;
	uint64_t keys, devices, blocks, tables;
};

static struct translation translate(struct world *world, const struct mmu_request *request)
{
	struct rig *rig = world->rig;
	const struct access access = {
		.va = request->va,
		.kind = request->kind,
		.el = request->va.v >> 55 & 1,
	};
	struct translation result;

	for (unsigned tries = 0; tries < 30; tries++) {
		enum mmu_fault_result handled;

		mmu_walk(request->space->regime, rig->machine.mem, &access, NULL, &result);
		if (result.fault.type == FAULT_NONE)
			return result;
		handled = result.fault.stage == 1
				  ? vm_s1_fault(NULL, request, &result.fault)
				  : vm_s2_fault(NULL, request, ipa_of(result.fault.ipa),
						&result.fault);
		if (handled == MMU_FAULT_EMULATED)
			return result;
		if (handled != MMU_FAULT_HANDLED)
			fail_msg("%s", vm_diag(rig->machine.vms[0])->text);
	}
	fail_msg("VA 0x%" PRIx64 " faults for ever", request->va.v);
	return result;
}

/* A device: outside the RAM, so KVM leaves the access to its user. */
static void check_device(struct world *world, const struct trace_key *key,
			 const struct translation *result)
{
	assert_int_equal(result->fault.stage, 2);
	assert_false(result->fault.s1ptw);
	assert_int_equal(result->fault.ipa & ~UINT64_C(0xfff), key->ipa);
	assert_null(guest_image_words(world->image, ipa_of(key->ipa)));
	world->devices++;
}

/* Memory: the IPA of the trace, and at the PA the words that the image has there. */
static void check_memory(struct world *world, const struct trace_key *key,
			 const struct translation *result)
{
	const uint64_t *words = guest_image_words(world->image, ipa_of(key->ipa));

	assert_int_equal(result->fault.type, FAULT_NONE);
	assert_int_equal(result->ipa.v, key->ipa);
	assert_non_null(words);
	for (unsigned i = 0; i < 512; i += 73)
		assert_int_equal(phys_read64(world->rig->machine.mem, pa_of(result->pa.v + 8 * i)),
				 words[i]);
	world->blocks += result->s1_bits > 12;
}

static void check_key(struct world *world, const struct trace_key *key)
{
	const struct mmu_request request = {
		.space = vm_space(world->rig->machine.vms[0], key->asid, NULL),
		.va = va_of(va_sign_extend(key->va)),
		.kind = key->stream == STREAM_FETCH ? ACCESS_FETCH : ACCESS_LOAD,
		.known_ipa = UINT64_MAX,
	};
	const struct translation result = translate(world, &request);

	assert_int_not_equal(key->ipa, TRACE_IPA_UNKNOWN);
	if (key->device)
		check_device(world, key, &result);
	else
		check_memory(world, key, &result);
	world->keys++;
}

static void check_block(struct world *world, const struct trace_block *block)
{
	struct vm *vm = world->rig->machine.vms[0];

	for (uint32_t i = 0; i < block->n_events; i++) {
		const struct trace_event *event = &block->events[i];

		if (event->type != EVENT_CONTEXT_SWITCH)
			continue;
		assert_int_equal(
			vm_set_tables(vm, event->asid, event->args[0], event->args[1], NULL),
			STATUS_OK);
		world->tables++;
	}
	for (uint32_t i = 0; i < block->n_keys; i++)
		check_key(world, &block->keys[i]);
}

static void check_trace(const char *settings)
{
	const struct config config = config_of(settings);
	struct diag diag = DIAG_INIT;
	struct trace_reader *trace = trace_open(TRACE ".s2t", false, &diag);
	struct world world = { .rig = rig_try(&config, 1, 1, &diag) };
	struct trace_block block = { 0 };

	if (!trace || !world.rig)
		fail_msg("%s: %s", settings, diag.text);
	assert_int_equal(guest_image_open(scratch_path("guest.img"), &world.image, &diag),
			 STATUS_OK);
	machine_run_vm(&world.rig->machine, 0, 0);
	for (uint64_t i = 0; i < trace_info(trace)->blocks; i++) {
		assert_int_equal(trace_read_block(trace, i, COLUMN_KEY, &block, &diag), STATUS_OK);
		check_block(&world, &block);
	}
	print_message("[%s] %" PRIu64 " addresses as recorded, %" PRIu64 " of devices, %" PRIu64
		      " in blocks, %" PRIu64 " changes of tables\n",
		      settings, world.keys, world.devices, world.blocks, world.tables);
	assert_true(world.keys > 4000);
	assert_true(world.devices > 0 && world.blocks > 0 && world.tables > 100);
	trace_block_free(&block);
	trace_close(trace);
	guest_image_close(world.image);
	rig_destroy(world.rig);
}

static void test_every_address(void **state)
{
	(void)state;
	check_trace("");
	check_trace("host.backing=2M stage2.ipa_bits=48");
	check_trace("host.thp=always host.user_skew=2M");
	check_trace("stage2.granule=64K host.backing=512M");
	check_trace("stage2.granule=16K guest.dirty_state=hardware");
}

/* ---- the whole replay --------------------------------------------------------------------- */

/* The guest's tables bring no fault of stage 1, whatever the host does to stage 2. */
static void test_replay(void **state)
{
	static const char *const hosts[] = {
		"",
		"host.backing=2M host.log_start=100000 host.log_sync=500000",
		"host.thp=always host.age_period=300000 host.scan_period=700000",
		"guest.dirty_state=hardware host.vms=2 host.timeslice=100000",
	};
	struct diag diag = DIAG_INIT;
	struct trace_reader *trace = trace_open(TRACE ".s2t", false, &diag);

	(void)state;
	assert_non_null(trace);
	for (unsigned i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		const struct config config = config_of(hosts[i]);
		struct stats stats;

		if (point_run(&config, trace, NULL, &stats, &diag) != STATUS_OK)
			fail_msg("%s: %s", hosts[i], diag.text);
		assert_int_equal(stats.v[STAT_accesses],
				 trace_accesses(&trace_info(trace)->totals));
		assert_int_equal(stats.v[STAT_s1_faults], 0);
		assert_int_equal(stats.v[STAT_table_pages_s1], 0);
		assert_true(stats.v[STAT_walks] > 0 && stats.v[STAT_mmio_exits] > 0);
	}
	trace_close(trace);
}

/* ---- what does not fit --------------------------------------------------------------------- */

static void expect_refusal(const char *settings, const char *text)
{
	const struct config config = config_of(settings);
	struct diag diag = DIAG_INIT;

	assert_int_equal(machine_check(&config, &diag), STATUS_BAD_INPUT);
	if (!strstr(diag.text, text))
		fail_msg("%s: %s", settings, diag.text);
}

static void test_refusals(void **state)
{
	(void)state;
	expect_refusal("stage1.va_bits=39", "48 bits of VA");
	expect_refusal("stage1.granule=16K", "granule of 4K");
	expect_refusal("guest.memory_base=0x80000000", "RAM from 0x40000000 on");
	expect_refusal("guest.memory=64M", "has 134217728 bytes");
}

/* An address that the kernel has not mapped is named, with the table that does not map it. */
static void test_unmapped(void **state)
{
	const struct config config = config_of("");
	struct diag diag = DIAG_INIT;
	struct rig *rig = rig_try(&config, 1, 1, &diag);
	const char *text;

	(void)state;
	assert_non_null(rig);
	assert_null(rig_access(rig, (struct rig_access){ 0, 0, 1, 0x1234567000, ACCESS_LOAD }));
	text = vm_diag(rig->machine.vms[0])->text;
	assert_int_equal(vm_diag(rig->machine.vms[0])->status, STATUS_BAD_INPUT);
	assert_non_null(strstr(text, "VA 0x1234567000 (ASID 1): translation fault at level"));
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_address),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_unmapped),
	};

	return cmocka_run_group_tests(tests, set_up, scratch_remove);
}
