/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine: a QEMU process whose memory, console and gdb stub are file descriptors of ours. It
 * needs no file of its own, and it dies with this program.
 */
#include "kvm_live.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* QEMU's board "virt". */
#define RAM_BASE UINT64_C(0x40000000)

struct descriptors {
	int ram, initramfs, gdb[2], to_console[2], from_console[2];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool trouble(const char *what)
{
	fprintf(stderr, "%s: error: %s\n", what, strerror(errno));
	return false;
}

static bool keep(int fd)
{
	return fcntl(fd, F_SETFD, 0) == 0;
}

static _Noreturn void exec_qemu(const struct machine_setup *setup, const struct descriptors *d)
{
	char object[160], memory[32], initramfs[64], gdb[64];
	const char *const argv[] = {
		setup->qemu, "-M", "virt,virtualization=on,gic-version=3,memory-backend=ram",
		"-object", object, "-m", memory, "-cpu", setup->cpu, "-accel", "tcg", "-smp", "1",
		"-display", "none", "-serial", "stdio", "-monitor", "none", "-nic", "none",
		"-chardev", gdb, "-gdb", "chardev:g", "-kernel", setup->kernel, "-initrd",
		initramfs, "-no-reboot", "-S", "-append",
		/* With panic=-1 a crash ends QEMU. */
		"console=ttyAMA0 quiet loglevel=1 panic=-1 hugepagesz=1G hugepages=3 nokaslr", NULL
	};

	snprintf(memory, sizeof(memory), "%lluM", (unsigned long long)(setup->ram_bytes >> 20));
	snprintf(
		object, sizeof(object),
		"memory-backend-file,id=ram,size=%s,share=on,reserve=off,mem-path=/proc/self/fd/%d",
		memory, d->ram);
	snprintf(initramfs, sizeof(initramfs), "/proc/self/fd/%d", d->initramfs);
	snprintf(gdb, sizeof(gdb), "socket,id=g,fd=%d", d->gdb[1]);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || !keep(d->ram) || !keep(d->initramfs) ||
	    !keep(d->gdb[1]) || dup2(d->to_console[0], STDIN_FILENO) < 0 ||
	    dup2(d->from_console[1], STDOUT_FILENO) < 0)
		_exit(126);
	execvp(setup->qemu, (char *const *)(uintptr_t)argv);
	trouble(setup->qemu);
	_exit(127);
}

/* All close themselves in the child, but for those that it keeps. */
static bool open_descriptors(struct descriptors *d, const struct machine_setup *setup)
{
	FILE *archive;
	bool ok;

	d->ram = memfd_create("ram", MFD_CLOEXEC);
	d->initramfs = memfd_create("initramfs", MFD_CLOEXEC);
	if (d->ram < 0 || d->initramfs < 0 || ftruncate(d->ram, (off_t)setup->ram_bytes) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, d->gdb) != 0 ||
	    pipe2(d->to_console, O_CLOEXEC) != 0 || pipe2(d->from_console, O_CLOEXEC) != 0)
		return trouble("file descriptors");
	archive = fdopen(dup(d->initramfs), "wb");
	ok = archive && initramfs_write(archive, setup->vmm);
	if (archive)
		fclose(archive);
	return ok;
}

bool machine_start(struct machine *m, const struct machine_setup *setup, unsigned timeout_s)
{
	struct descriptors d;

	*m = (struct machine){ .ram_bytes = setup->ram_bytes,
			       .deadline_ms = now_ms() + timeout_s * UINT64_C(1000) };
	if (!open_descriptors(&d, setup))
		return false;
	m->ram = mmap(NULL, m->ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, d.ram,
		      0);
	if (m->ram == MAP_FAILED)
		return trouble("mmap");
	signal(SIGPIPE, SIG_IGN);
	fflush(NULL);
	m->pid = fork();
	if (m->pid == 0)
		exec_qemu(setup, &d);
	close(d.ram);
	close(d.initramfs);
	close(d.gdb[1]);
	close(d.to_console[0]);
	close(d.from_console[1]);
	m->gdb = d.gdb[0];
	m->to_console = d.to_console[1];
	m->from_console = d.from_console[0];
	return m->pid > 0 || trouble("fork");
}

void machine_stop(struct machine *m)
{
	if (m->pid > 0) {
		kill(m->pid, SIGKILL);
		waitpid(m->pid, NULL, 0);
	}
	m->pid = 0;
}

bool machine_await(const struct machine *m, int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	const uint64_t now = now_ms();

	if (now < m->deadline_ms && poll(&wait, 1, (int)(m->deadline_ms - now)) > 0)
		return true;
	fprintf(stderr, "error: no answer of the machine in time\n");
	return false;
}

/* Takes the first line out of the text; false when it is not complete. */
static bool take_line(struct machine *m, char *line, size_t bytes)
{
	char *const end = memchr(m->text, '\n', m->text_bytes);
	size_t length;

	if (!end)
		return false;
	length = (size_t)(end - m->text);
	snprintf(line, bytes, "%.*s", (int)length, m->text);
	line[strcspn(line, "\r")] = 0;
	m->text_bytes -= length + 1;
	memmove(m->text, end + 1, m->text_bytes);
	return true;
}

char *machine_line(struct machine *m, char *line, size_t bytes)
{
	ssize_t got;

	for (;;) {
		while (take_line(m, line, bytes)) {
			if (line[0] == '@')
				return line + 1;
			fprintf(stderr, "console: %s\n", line);
		}
		if (m->text_bytes == sizeof(m->text))
			m->text_bytes = 0;
		if (!machine_await(m, m->from_console))
			return NULL;
		got = read(m->from_console, m->text + m->text_bytes,
			   sizeof(m->text) - m->text_bytes);
		if (got <= 0) {
			fprintf(stderr, "error: QEMU has ended\n");
			return NULL;
		}
		m->text_bytes += (size_t)got;
	}
}

bool machine_send(const struct machine *m, const char *line)
{
	return dprintf(m->to_console, "%s\n", line) > 0 || trouble("console");
}

uint64_t *machine_word(const struct machine *m, uint64_t pa)
{
	if (pa < RAM_BASE || pa - RAM_BASE > m->ram_bytes - 8 || pa % 8)
		return NULL;
	return (uint64_t *)(void *)(m->ram + (pa - RAM_BASE));
}
