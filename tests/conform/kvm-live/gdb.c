/* SPDX-License-Identifier: BSD-2-Clause */
/* A client of QEMU's gdb stub: packets "$DATA#SUM", each acknowledged by '+'. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm_live.h"

static bool no_answer(const char *what)
{
	fprintf(stderr, "gdb stub: error: %s\n", what);
	return false;
}

static bool send_packet(const struct gdb *gdb, const char *data)
{
	unsigned char sum = 0;

	for (const char *c = data; *c; c++)
		sum = (unsigned char)(sum + (unsigned char)*c);
	return dprintf(gdb->machine->gdb, "$%s#%02x", data, sum) > 0;
}

/* -1 when there is none. */
static int get_byte(const struct gdb *gdb)
{
	unsigned char byte;

	if (!machine_await(gdb->machine, gdb->machine->gdb) ||
	    read(gdb->machine->gdb, &byte, 1) != 1)
		return -1;
	return byte;
}

static bool put_byte(struct gdb *gdb, size_t at, int byte)
{
	if (at == gdb->packet_room) {
		const size_t room = at ? at * 2 : 4096;
		char *packet = realloc(gdb->packet, room);

		if (!packet)
			return no_answer("out of memory");
		gdb->packet = packet;
		gdb->packet_room = room;
	}
	gdb->packet[at] = (char)byte;
	return true;
}

/* The next packet, as text in gdb->packet. */
static bool get_packet(struct gdb *gdb)
{
	size_t length = 0;
	int byte;

	do
		byte = get_byte(gdb);
	while (byte >= 0 && byte != '$');
	for (byte = get_byte(gdb); byte >= 0 && byte != '#'; byte = get_byte(gdb)) {
		if (byte == '}')
			byte = get_byte(gdb) ^ 0x20;
		if (!put_byte(gdb, length++, byte))
			return false;
	}
	if (byte < 0 || get_byte(gdb) < 0 || get_byte(gdb) < 0 || !put_byte(gdb, length, 0))
		return no_answer("the connection ended");
	return write(gdb->machine->gdb, "+", 1) == 1;
}

/* The number of a register in the stub's description of system registers; 0 when it has none. */
static unsigned number_of(const char *xml, const char *name)
{
	char key[64];
	const char *at, *end;

	snprintf(key, sizeof(key), "name=\"%s\"", name);
	at = strstr(xml, key);
	end = at ? strchr(at, '>') : NULL;
	at = at ? strstr(at, "regnum=\"") : NULL;
	if (!at || at > end) {
		fprintf(stderr, "gdb stub: error: no register %s\n", name);
		return 0;
	}
	return (unsigned)strtoul(at + strlen("regnum=\""), NULL, 10);
}

/* The whole description, to be freed; it comes in parts. */
static char *read_description(struct gdb *gdb)
{
	char *xml = NULL, request[96];
	size_t length = 0;
	FILE *out = open_memstream(&xml, &length);
	bool more = out;

	while (more) {
		fflush(out);
		snprintf(request, sizeof(request),
			 "qXfer:features:read:system-registers.xml:%zx,7f0", length);
		more = send_packet(gdb, request) && get_packet(gdb) &&
		       strchr("ml", gdb->packet[0]) && gdb->packet[0] &&
		       fputs(gdb->packet + 1, out) >= 0 && gdb->packet[0] == 'm';
	}
	if (out)
		fclose(out);
	return xml;
}

bool gdb_open(struct gdb *gdb, const struct machine *m)
{
	char *xml;

	*gdb = (struct gdb){ .machine = m };
	/* The stub tells registers only to who has asked what it can. */
	if (!send_packet(gdb, "qSupported:xmlRegisters=aarch64") || !get_packet(gdb))
		return false;
	if (!send_packet(gdb, "qXfer:features:read:target.xml:0,7f0") || !get_packet(gdb))
		return false;
	xml = read_description(gdb);
	if (!xml)
		return no_answer("out of memory");
	gdb->hcr = number_of(xml, "HCR_EL2");
	gdb->vtcr = number_of(xml, "VTCR_EL2");
	gdb->vttbr = number_of(xml, "VTTBR_EL2");
	free(xml);
	return gdb->hcr && gdb->vtcr && gdb->vttbr && gdb_continue(gdb);
}

void gdb_close(struct gdb *gdb)
{
	free(gdb->packet);
	gdb->packet = NULL;
}

/* Hexadecimal digits of the bytes as they lie in the target's memory. */
static bool read_register(struct gdb *gdb, unsigned number, uint64_t *value)
{
	char request[16];

	snprintf(request, sizeof(request), "p%x", number);
	if (!send_packet(gdb, request) || !get_packet(gdb))
		return false;
	if (strspn(gdb->packet, "0123456789abcdef") != 16)
		return no_answer("no value of a register");
	*value = __builtin_bswap64(strtoull(gdb->packet, NULL, 16));
	return true;
}

bool gdb_stop(struct gdb *gdb, struct stage2_regs *regs)
{
	if (write(gdb->machine->gdb, "\003", 1) != 1 || !get_packet(gdb))
		return false;
	return read_register(gdb, gdb->hcr, &regs->hcr) &&
	       read_register(gdb, gdb->vtcr, &regs->vtcr) &&
	       read_register(gdb, gdb->vttbr, &regs->vttbr);
}

bool gdb_continue(struct gdb *gdb)
{
	return send_packet(gdb, "c");
}
