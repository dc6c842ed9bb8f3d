/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The importer's side: its link, and the end of what it has; imports.h. */
#include "front/imports.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/adapter.h"
#include "core/qp_lock.h"
#include "front/command.h"
#include "front/import_table.h"
#include "tpt/tpt.h"
#include "trace.h"

/* Less than the exporter waits. */
#define QUIESCE_MS 1000u

/* The header of a function that runs, and of this user. */
static int read_header(int fd, struct arnica_hw_segment_header *header,
		       uint64_t *inode)
{
	struct stat status;

	/* Not by name: the stand-in shows a device file as a device. */
	if (syscall(SYS_fstat, fd, &status))
		return EBADF;
	if (pread(fd, header, sizeof(*header), 0) != sizeof(*header) ||
	    arnica_from_le64(header->magic) != ARNICA_HW_SEGMENT_MAGIC)
		return EBADF;
	if (status.st_uid != geteuid())
		return EACCES;
	*inode = status.st_ino;
	switch (arnica_load32(&header->state, memory_order_relaxed)) {
	case ARNICA_HW_SEGMENT_RUNNING:
		return 0;
	case ARNICA_HW_SEGMENT_CLOSED:
		return ENODEV;
	default:
		return EBADF;
	}
}

static int attach(struct adev_function *fn,
		  const struct arnica_hw_segment_header *header,
		  struct adev_view **view)
{
	int error = adev_adapter_attach(fn, arnica_from_le32(header->function),
					arnica_from_le64(header->generation),
					view);

	switch (error) {
	case ENOENT: /* killed, or of another domain */
		return ENODEV;
	case EPERM:
		return EACCES;
	default:
		return error;
	}
}

int adev_import_link(struct adev_function *fn, int exported_fd)
{
	struct adev_import *import = calloc(1, sizeof(*import));
	struct arnica_hw_segment_header header;
	uint32_t half = fn->view.layout.max_mr / 2;
	int error;

	if (!import)
		return ENOMEM;
	import->births = calloc(fn->view.layout.max_pd,
				sizeof(*import->births));
	error = import->births ? 0 : ENOMEM;
	if (!error)
		error = read_header(exported_fd, &header, &import->inode);
	if (!error)
		error = attach(fn, &header, &import->view);
	if (error) {
		free(import->births);
		free(import);
		return error;
	}
	/* The half that the exporter does not take entries from. */
	fn->tpt_mask = (fn->tpt_mask & (half - 1)) |
		       (~import->view->shared->tpt_half & half);
	/* Seen by adev_function_of_fd(). */
	pthread_mutex_lock(&adev_adapter.lock);
	fn->import = import;
	pthread_mutex_unlock(&adev_adapter.lock);
	return 0;
}

void adev_import_unlink(struct adev_function *fn)
{
	struct adev_import *import = fn->import;

	if (!import)
		return;
	while (import->regions) {
		struct adev_imported_region *region = import->regions;

		import->regions = region->next;
		free(region);
	}
	while (import->dms) {
		struct adev_imported_dm *dm = import->dms;

		import->dms = dm->next;
		free(dm);
	}
	adev_adapter_detach(import->view);
	free(import->births);
	free(import);
	fn->import = NULL;
}

const struct adev_view *adev_import_view(const struct adev_function *fn)
{
	return fn->import ? fn->import->view : NULL;
}

bool adev_import_has_region(const struct adev_function *fn, uint32_t index)
{
	return fn->import && *adev_import_find_region(fn, index);
}

bool adev_import_is_of(const struct adev_function *fn, uint64_t inode)
{
	return fn->import && fn->import->inode == inode;
}

enum arnica_hw_command_status
adev_import_end_region(struct adev_function *fn,
		       struct adev_imported_region **link)
{
	struct adev_imported_region *region = *link;
	uint32_t index = adev_tpt_index(region->stag);
	struct adev_tpt_entry *entry = &fn->view.tpt[index];

	adev_tpt_invalidate(entry);
	if (adev_qp_lock_quiesce(fn, index, QUIESCE_MS)) {
		adev_tpt_publish(entry, region->stag);
		return ARNICA_HW_COMMAND_BUSY;
	}
	adev_regions_wait_for_own_work(fn);
	*link = region->next;
	free(region);
	return ARNICA_HW_COMMAND_OK;
}

enum arnica_hw_command_status
adev_import_revoke(struct adev_function *fn, const struct adev_caller *caller,
		   uint32_t stag)
{
	struct adev_import *import = fn->import;
	struct adev_imported_region **link;

	if (!import || import->view->function != caller->function ||
	    import->view->generation != caller->generation)
		return ARNICA_HW_COMMAND_PERMISSION;
	import->num_revoked++;
	link = adev_import_find_region(fn, adev_tpt_index(stag));
	if (!*link || (*link)->stag != stag)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	adev_count(&fn->counters, imports_revoked);
	arnica_trace_import_revoked(stag, caller->function);
	return adev_import_end_region(fn, link);
}

void adev_import_ended(struct adev_function *fn, uint32_t function,
		       uint64_t generation)
{
	struct adev_import *import = fn->import;

	if (!import || import->view->function != function ||
	    import->view->generation != generation)
		return;
	/* Who has one in his hands may go on: the memory stays mapped here, and
	 * is nobody else's any more. */
	while (import->regions) {
		struct adev_imported_region *region = import->regions;

		adev_tpt_invalidate(
			&fn->view.tpt[adev_tpt_index(region->stag)]);
		import->regions = region->next;
		free(region);
		adev_count(&fn->counters, imports_revoked);
	}
}
