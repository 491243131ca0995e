/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage map`: what KVM's stage 2 looks like after a script of accesses, printed or checked. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/command.h"
#include "cli/map_snap.h"
#include "cli/map_text.h"
#include "cli/names_args.h"
#include "cli/output.h"

/* The guest's own code: a slot at IPA 0, written by userspace before the guest runs. */
#define CODE_BYTES UINT64_C(65536)

/* User addresses of the two slots: congruent modulo 1G with what the format says. */
#define CODE_USER (UINT64_C(1) << 56)
#define SLOT_USER (UINT64_C(1) << 57)

enum map_mode { MODE_PRINT, MODE_JSON, MODE_CHECK };

struct options {
	enum map_mode mode;
	const struct host_ops *rule;
	struct files_args input;
};

struct session {
	const struct options *options;
	struct phys_mem *mem;
	struct kvm_host host;
	struct map_reader reader;
	struct map_case what;
	/* Our snapshots of the case under way, and how many were compared. */
	char **snaps;
	size_t snaps_count, snaps_room, snaps_compared;
	bool in_case;	     /* JSON: the case is open */
	unsigned long cases; /* JSON: printed so far */
	unsigned long passed, failed;
};

/* ---- one set-up --------------------------------------------------------------------------- */

/* The VM that runs the case; frames of its own, so that cases do not depend on each other. */
struct vm {
	struct frames frames;
	struct kvm_mmu mmu;
	struct kvm_slot *slot;
	uint64_t faults; /* of the slot at the snapshot before */
	unsigned snaps;
};

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

static const char *error_name(enum kvm_errno error)
{
	switch (error) {
	case KVM_E_FAULT:
		return "EFAULT";
	case KVM_E_EXIST:
		return "EEXIST";
	case KVM_E_NONE:
	case KVM_E_NOMEM:
	case KVM_E_INVAL:
		break;
	}
	return "EINVAL";
}

/* Print the snapshot, or keep its line to be compared. */
static enum exit_status put_snap(struct session *s, const struct map_snap *snap, struct diag *diag)
{
	char *line = NULL;
	size_t bytes;
	FILE *out;

	if (s->options->mode == MODE_JSON) {
		fputs(snap->number > 1 ? ",\n\t\t" : "\n\t\t", stdout);
		map_snap_json(stdout, snap);
		return STATUS_OK;
	}
	if (s->options->mode == MODE_PRINT) {
		map_snap_line(stdout, snap);
		putchar('\n');
		return STATUS_OK;
	}
	if (s->snaps_count == s->snaps_room) {
		const size_t room = s->snaps_room ? s->snaps_room * 2 : 16;
		char **snaps = realloc(s->snaps, room * sizeof(*snaps));

		if (!snaps)
			return no_memory(diag);
		s->snaps = snaps;
		s->snaps_room = room;
	}
	out = open_memstream(&line, &bytes);
	if (!out)
		return no_memory(diag);
	map_snap_line(out, snap);
	if (fclose(out) != 0) {
		free(line);
		return no_memory(diag);
	}
	s->snaps[s->snaps_count++] = line;
	return STATUS_OK;
}

/* A snapshot of a VM that there is none of: `call` was refused, or the guest hangs. */
static enum exit_status snap_error(struct session *s, unsigned number, const char *call,
				   const char *error, struct diag *diag)
{
	const struct map_snap snap = { .number = number, .call = call, .error = error };

	return put_snap(s, &snap, diag);
}

static enum exit_status take_snap(struct session *s, struct vm *vm, struct diag *diag)
{
	const struct kvm_slot_setup *slot = &vm->slot->setup;
	struct map_snap snap = { .number = ++vm->snaps,
				 .page = s->host.page,
				 .start_level = vm->mmu.pgt.start_level,
				 .root_tables = vm->mmu.pgt.root_tables,
				 .faults = vm->slot->faults - vm->faults };

	vm->faults = vm->slot->faults;
	kvm_snapshot_take(&snap.tables, &vm->mmu.pgt, slot->base, slot->bytes);
	return put_snap(s, &snap, diag);
}

/* *stuck: the guest makes no progress any more. */
static enum exit_status access_range(struct vm *vm, const struct map_step *step, bool *stuck,
				     struct diag *diag)
{
	for (uint64_t i = 0; i < step->count; i++) {
		const uint64_t ipa = vm->slot->setup.base + step->offset + i * step->stride;

		switch (kvm_mmu_access(&vm->mmu, ipa, step->access)) {
		case KVM_ACCESS_OK:
		case KVM_ACCESS_FAULTED:
		case KVM_ACCESS_MMIO:
		case KVM_ACCESS_ABORT:
			break;
		case KVM_ACCESS_STUCK:
			*stuck = true;
			return STATUS_OK;
		case KVM_ACCESS_NO_FRAMES:
			return diag_set(diag, STATUS_BAD_INPUT, "host memory exhausted");
		case KVM_ACCESS_NO_MEMORY:
			return no_memory(diag);
		}
	}
	return STATUS_OK;
}

static enum exit_status host_step(enum kvm_errno error, struct diag *diag)
{
	return error == KVM_E_NOMEM ? no_memory(diag) : STATUS_OK;
}

static enum exit_status run_step(struct session *s, struct vm *vm, const struct map_step *step,
				 bool *stuck, struct diag *diag)
{
	const uint64_t user = vm->slot->setup.user + step->offset;

	switch (step->kind) {
	case MAP_STEP_ACCESS:
		return access_range(vm, step, stuck, diag);
	case MAP_STEP_LOG_ON:
		return kvm_mmu_set_logging(vm->slot, true) == KVM_E_NOMEM ? no_memory(diag)
									  : STATUS_OK;
	case MAP_STEP_LOG_OFF:
		kvm_mmu_set_logging(vm->slot, false);
		break;
	case MAP_STEP_GET_LOG:
		kvm_mmu_get_log(vm->slot);
		break;
	case MAP_STEP_CLEAR_LOG:
		/* A range that KVM refuses changes nothing. */
		kvm_mmu_clear_log(vm->slot, step->offset, step->stride);
		break;
	case MAP_STEP_DISCARD:
		return host_step(kvm_mmu_discard(vm->slot, user, user + step->stride), diag);
	case MAP_STEP_COLLAPSE:
		return host_step(kvm_mmu_collapse(vm->slot, user), diag);
	case MAP_STEP_SNAP:
		return take_snap(s, vm, diag);
	case MAP_STEP_END:
		break;
	}
	return STATUS_OK;
}

static enum exit_status run_script(struct session *s, struct vm *vm, struct diag *diag)
{
	const char *script = s->what.script;
	enum exit_status status;
	struct map_step step;
	bool stuck = false;

	do {
		status = map_next_step(&s->reader, &s->host, vm->slot->setup.bytes, &script, &step,
				       diag);
		if (status == STATUS_OK)
			status = run_step(s, vm, &step, &stuck, diag);
	} while (status == STATUS_OK && step.kind != MAP_STEP_END && !stuck);
	if (stuck)
		return snap_error(s, vm->snaps + 1, "KVM_RUN", "HANG", diag);
	return status;
}

/* The code's slot and its first page, which the guest's first instruction maps. */
static enum kvm_errno add_code(struct vm *vm)
{
	const struct kvm_slot_setup setup = { .bytes = CODE_BYTES, .user = CODE_USER };
	struct kvm_slot *slot;
	struct kvm_pin pin;
	const enum kvm_errno error = kvm_mmu_add_slot(&vm->mmu, &setup, &slot);

	if (error != KVM_E_NONE)
		return error;
	if (kvm_memory_pin(&slot->memory, CODE_USER, ACCESS_STORE, &pin) != KVM_MEMORY_OK)
		return KVM_E_NOMEM;
	return kvm_mmu_access(&vm->mmu, 0, ACCESS_FETCH) == KVM_ACCESS_OK ? KVM_E_NONE
									  : KVM_E_NOMEM;
}

static enum exit_status run_vm(struct session *s, struct vm *vm, struct diag *diag)
{
	struct kvm_slot_setup setup = s->what.slot;
	enum kvm_errno error = add_code(vm);

	setup.user = SLOT_USER + ((setup.base + s->what.skew) & low_mask(30));
	if (error == KVM_E_NONE)
		error = kvm_mmu_add_slot(&vm->mmu, &setup, &vm->slot);
	if (error == KVM_E_NOMEM)
		return no_memory(diag);
	if (error != KVM_E_NONE)
		return snap_error(s, 0, "KVM_SET_USER_MEMORY_REGION", error_name(error), diag);
	return run_script(s, vm, diag);
}

static enum exit_status run_case(struct session *s, struct diag *diag)
{
	const struct frames_setup memory = { .base = pa_of(UINT64_C(1) << 30),
					     .pa_bits = s->host.lpa2 ? 52 : 48 };
	struct vm vm = { 0 };
	enum exit_status status;
	enum kvm_errno error;

	phys_reset(s->mem);
	if (!frames_init(&vm.frames, &memory))
		return no_memory(diag);
	error = kvm_mmu_init(&vm.mmu, &s->host, &s->what.vm, s->mem, &vm.frames);
	if (error == KVM_E_NOMEM)
		status = no_memory(diag);
	else if (error != KVM_E_NONE)
		status = snap_error(s, 0, "KVM_CREATE_VM", error_name(error), diag);
	else
		status = run_vm(s, &vm, diag);
	if (error == KVM_E_NONE)
		kvm_mmu_fini(&vm.mmu);
	frames_fini(&vm.frames);
	return status;
}

/* ---- files -------------------------------------------------------------------------------- */

static void mismatch(struct session *s, const char *expected, const char *ours)
{
	s->failed++;
	printf("%s:%lu: %s: mismatch\n    expected %s\n    got      %s\n", s->reader.line.path,
	       s->reader.line.number, s->what.name, expected, ours);
}

static void compare_snap(struct session *s)
{
	const char *ours = "nothing";

	if (s->snaps_compared < s->snaps_count)
		ours = s->snaps[s->snaps_compared++];
	if (strcmp(ours, s->reader.line.text) == 0)
		s->passed++;
	else
		mismatch(s, s->reader.line.text, ours);
}

static void begin_json_case(struct session *s)
{
	fputs(s->cases++ ? ",\n\t" : "\n\t", stdout);
	fputs("{\"name\":", stdout);
	output_json_string(stdout, s->what.name);
	fputs(",\"snaps\":[", stdout);
	s->in_case = true;
}

/* The case is over: what the file does not have an answer for has failed. */
static void end_case(struct session *s)
{
	if (s->in_case)
		fputs("]}", stdout);
	s->in_case = false;
	while (s->options->mode == MODE_CHECK && s->snaps_compared < s->snaps_count)
		mismatch(s, "nothing", s->snaps[s->snaps_compared++]);
	for (size_t i = 0; i < s->snaps_count; i++)
		free(s->snaps[i]);
	s->snaps_count = s->snaps_compared = 0;
}

static enum exit_status do_line(struct session *s, enum map_line kind, struct diag *diag)
{
	enum exit_status status;

	if (kind == MAP_SNAP) {
		if (s->options->mode == MODE_CHECK)
			compare_snap(s);
		return STATUS_OK;
	}
	if (s->options->mode == MODE_PRINT && kind != MAP_EOF)
		puts(s->reader.line.text);
	if (kind != MAP_CASE)
		return STATUS_OK;
	if (s->options->mode == MODE_JSON)
		begin_json_case(s);
	status = run_case(s, diag);
	if (status != STATUS_OK)
		diag_place(diag, "%s:%lu", s->reader.line.path, s->reader.line.number);
	return status;
}

static enum exit_status do_file(struct session *s, const char *path, struct diag *diag)
{
	enum map_line kind = MAP_OTHER;
	enum exit_status status = map_open(&s->reader, path, diag);

	s->host = (struct kvm_host){ .rule = s->options->rule };
	while (status == STATUS_OK && kind != MAP_EOF) {
		status = map_next(&s->reader, &kind, &s->host, &s->what, diag);
		if (status != STATUS_OK)
			break;
		if (kind == MAP_HOST || kind == MAP_CASE || kind == MAP_EOF)
			end_case(s);
		status = do_line(s, kind, diag);
	}
	end_case(s);
	map_close(&s->reader);
	return status;
}

static const struct argp_option argp_options[] = {
	{ "check", 'c', NULL, 0, "Compare with the snapshots in FILE; exit 1 on any mismatch", 0 },
	{ "json", 'j', NULL, 0, "Print the snapshots as JSON", 0 },
	{ "rule", 'r', "NAME", 0, "Block-size rule (list host); upstream without it", 0 },
	{ 0 },
};

static error_t set_rule(struct options *options, const char *name, struct argp_state *state)
{
	struct suggest search;

	options->rule = host_find(name);
	if (options->rule)
		return 0;
	suggest_init(&search, name);
	for (const struct host_ops *const *ops = host_registry; *ops; ops++)
		suggest_offer(&search, (*ops)->name);
	if (search.best)
		argp_error(state, "no rule '%s'; did you mean '%s'?", name, search.best);
	else
		argp_error(state, "no rule '%s'; `twostage list` names them", name);
	return EINVAL;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'c':
		options->mode = MODE_CHECK;
		return 0;
	case 'j':
		options->mode = MODE_JSON;
		return 0;
	case 'r':
		return set_rule(options, arg, state);
	default:
		return files_args_parse(&options->input, key, state);
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.args_doc = "FILE...",
	.doc = "Print the stage-2 tables that KVM builds for a memslot: sizes and attributes of "
	       "the "
	       "leaves, table pages and faults at each snapshot of a script."
	       "\vFILE is in the format of docs/kvm.md; '-' is standard input.",
};

static int run(int argc, char **argv)
{
	struct options options = { .rule = host_find("upstream") };
	struct session s = { .options = &options };
	struct diag diag = DIAG_INIT;
	enum exit_status status = STATUS_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	s.mem = phys_create();
	if (!s.mem)
		return output_error(STATUS_INTERNAL, "out of memory");
	if (options.mode == MODE_JSON)
		fputs("{\"schema\":1,\"cases\":[", stdout);
	for (int i = 0; i < options.input.files_count && status == STATUS_OK; i++) {
		const unsigned long before = s.passed + s.failed;

		status = do_file(&s, options.input.files[i], &diag);
		if (status == STATUS_OK && options.mode == MODE_CHECK &&
		    s.passed + s.failed == before)
			status = diag_set(&diag, STATUS_BAD_INPUT,
					  "%s: no snapshot in it: nothing to check",
					  options.input.files[i]);
	}
	if (options.mode == MODE_JSON)
		puts("\n]}");
	if (status == STATUS_OK && options.mode == MODE_CHECK) {
		printf("%lu passed, %lu failed\n", s.passed, s.failed);
		if (s.failed)
			status = STATUS_MISMATCH;
	}
	phys_destroy(s.mem);
	free(s.snaps);
	if (diag.status != STATUS_OK)
		return output_diag(&diag);
	return (int)status;
}

const struct command cmd_map = {
	.name = "map",
	.summary = "stage-2 tables that KVM builds for a memslot, or a check of such tables",
	.run = run,
};
