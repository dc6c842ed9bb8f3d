/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a function has imported. Lock role `command`. */
#ifndef ADEV_FRONT_IMPORT_TABLE_H
#define ADEV_FRONT_IMPORT_TABLE_H

#include "front/imports.h"
#include "tpt/tpt.h"

struct adev_imported_region {
	uint32_t stag;
	uint32_t references;
	struct adev_imported_region *next;
};

struct adev_imported_dm {
	uint32_t handle;
	uint64_t offset, length;
	uint32_t references;
	struct adev_imported_dm *next;
};

struct adev_import {
	struct adev_view *view; /* of the exporter */
	uint64_t inode;         /* of its device file */
	uint32_t *births;       /* by PD, as the exporter counts them */
	struct adev_imported_region *regions;
	struct adev_imported_dm *dms;
	uint32_t num_revoked; /* regions that the exporter has ended */
};

static inline struct adev_imported_region **
adev_import_find_region(const struct adev_function *fn, uint32_t index)
{
	struct adev_imported_region **link = &fn->import->regions;

	while (*link && adev_tpt_index((*link)->stag) != index)
		link = &(*link)->next;
	return link;
}

static inline struct adev_imported_dm **
adev_import_find_dm(const struct adev_function *fn, uint32_t handle)
{
	struct adev_imported_dm **link = &fn->import->dms;

	while (*link && (*link)->handle != handle)
		link = &(*link)->next;
	return link;
}

/* Nobody uses its key when this returns OK. BUSY: as if never tried. */
enum arnica_hw_command_status
adev_import_end_region(struct adev_function *fn,
		       struct adev_imported_region **link) ARNICA_MUST_CHECK;

#endif
