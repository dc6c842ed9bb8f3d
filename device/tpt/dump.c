/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The table of a running process, read from its segment, beside the mirror that
 * its host keeps, read from its memory. Nothing is asked of the process; what
 * changes meanwhile may look as if the two were different for a moment.
 */
#include "core/export.h"
#include "tpt/dump.h"
#include "tpt/pending.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <arnica/hw/bus.h>
#include <arnica/hw/cqp.h>

#define PAGE_ENTRIES (ARNICA_HW_PAGE_BYTES / sizeof(struct adev_tpt_entry))

struct dump {
	int fd;
	pid_t pid;
	struct adev_shared shared; /* a copy */
	arnica_bus_stag_fn *found;
	void *argument;
	struct adev_tpt_entry entries[PAGE_ENTRIES];
	struct arnica_hw_mirror_entry mirror[PAGE_ENTRIES];
};

static int open_segment(struct dump *dump)
{
	int error = adev_shared_read(dump->fd, &dump->shared);

	if (!error && adev_layout_check(&dump->shared.layout,
					dump->shared.layout.size_bytes))
		error = EPROTO;
	return error;
}

/* The mirror of a page of entries; false: it cannot be read. */
static bool read_mirror(struct dump *dump, uint32_t first)
{
	uint64_t bytes = sizeof(dump->mirror);
	struct iovec to = { dump->mirror, bytes };
	struct iovec from = {
		(void *)(uintptr_t)(dump->shared.mirror_address +
				    first * sizeof(dump->mirror[0])),
		bytes,
	};

	return dump->shared.mirror_address &&
	       first + PAGE_ENTRIES <= dump->shared.mirror_entries &&
	       process_vm_readv(dump->pid, &to, 1, &from, 1, 0) ==
		       (ssize_t)bytes;
}

static const char *compare(const struct arnica_bus_stag *stag)
{
	const struct arnica_hw_mirror_entry *mirror = &stag->mirror;

	/* The host learns the end of a registration when it asks. */
	if (mirror->state == ARNICA_HW_STAG_PENDING && !stag->stag)
		return NULL;
	if (stag->pending && mirror->state == ARNICA_HW_STAG_VALID)
		return "the host takes it for registered";
	if (mirror->state == ARNICA_HW_STAG_FREE)
		return stag->stag ? "the host takes it for free" : NULL;
	if (!stag->stag)
		return mirror->access & ARNICA_HW_ACCESS_ONE_TOUCH ||
				       mirror->kind ==
					       ARNICA_HW_STAG_IMPORTED ?
			       NULL :
			       "the host takes it for valid";
	if (mirror->stag != stag->stag)
		return "another instance";
	if (mirror->kind != stag->kind)
		return "another kind";
	if (mirror->pd != stag->pd)
		return "another protection domain";
	if (mirror->access != stag->access)
		return "other rights";
	/* A null region has no bounds. */
	if (stag->kind != ARNICA_HW_STAG_NULL &&
	    (mirror->iova != stag->iova || mirror->length != stag->length))
		return "another range";
	return NULL;
}

static void report(struct dump *dump, uint32_t index, bool has_mirror,
		   const struct adev_tpt_entry *entry,
		   const struct arnica_hw_mirror_entry *mirror)
{
	bool list = entry->type == ADEV_TPT_LIST;
	uint64_t word = atomic_load_explicit(&entry->shared,
					     memory_order_relaxed);
	struct arnica_bus_stag stag = {
		.index = index,
		.stag = atomic_load_explicit(&entry->tag, memory_order_relaxed),
		.has_mirror = has_mirror,
	};

	if (has_mirror)
		stag.mirror = *mirror;
	if (!stag.stag && !(word >> 61) && word & ADEV_TPT_PENDING_MARK) {
		stag.pending = true;
		stag.stag = index << 8 | (uint32_t)(word & 0xff);
	}
	if (!stag.stag && stag.mirror.kind == ARNICA_HW_STAG_NONE)
		return;
	if (stag.stag) {
		stag.kind = adev_tpt_kind(entry);
		stag.pd = entry->pd;
		stag.access = adev_tpt_rights(entry);
		stag.iova = entry->iova;
		stag.length = entry->length;
		stag.qpn = list ? 0 : entry->qpn;
		stag.items = list ? entry->qpn : 0;
	}
	if (has_mirror)
		stag.difference = compare(&stag);
	dump->found(&stag, dump->argument);
}

static int dump_page(struct dump *dump, uint32_t first)
{
	off_t offset = (off_t)(dump->shared.layout.tpt_offset +
			       first * sizeof(struct adev_tpt_entry));
	bool has_mirror;
	uint32_t i;

	/* The mirror first: of what changes between the two the table is the
	 * newer, as the host is told after it. */
	has_mirror = read_mirror(dump, first);
	if (pread(dump->fd, dump->entries, sizeof(dump->entries), offset) !=
	    sizeof(dump->entries))
		return EIO;
	for (i = 0; i < PAGE_ENTRIES; i++)
		report(dump, first + i, has_mirror, &dump->entries[i],
		       &dump->mirror[i]);
	return 0;
}

/* Entries that were never handed out have no memory. */
static int dump_table(struct dump *dump)
{
	const struct adev_layout *layout = &dump->shared.layout;
	off_t start = (off_t)layout->tpt_offset;
	off_t end = start + (off_t)(layout->max_mr *
				    sizeof(struct adev_tpt_entry));
	off_t at = lseek(dump->fd, start, SEEK_DATA);
	int error = 0;

	while (at >= start && at < end && !error) {
		uint64_t page = (uint64_t)(at - start) / ARNICA_HW_PAGE_BYTES;

		error = dump_page(dump, (uint32_t)(page * PAGE_ENTRIES));
		at = lseek(dump->fd,
			   start + (off_t)((page + 1) * ARNICA_HW_PAGE_BYTES),
			   SEEK_DATA);
	}
	return error;
}

EXPORT int arnica_bus_table(int device_fd, pid_t pid, arnica_bus_stag_fn *found,
			    void *argument)
{
	struct dump dump = {
		.fd = device_fd,
		.pid = pid,
		.found = found,
		.argument = argument,
	};
	int error = open_segment(&dump);

	return error ? error : dump_table(&dump);
}
