/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Object tables of a function, and the indexes of its objects.
 *
 * The tables are private to the owner's process: nothing that a peer writes
 * into the segment can lead the control path astray. Lock role `command`.
 */
#ifndef ADEV_FRONT_OBJECTS_H
#define ADEV_FRONT_OBJECTS_H

#include "core/function.h"

/* Allocates the tables for the layout of fn->view and draws tpt_mask; fn was
 * zero before. ENOMEM, or EINVAL for a setting that is none: nothing is left
 * allocated. */
int adev_objects_init(struct adev_function *fn) ARNICA_MUST_CHECK;
void adev_objects_fini(struct adev_function *fn);

/*
 * Takes an index below `limit`: one that was given back, else *next. ENOMEM
 * when all are in use. Constant time, as is giving back.
 */
int adev_index_take(struct adev_free_list *list, uint32_t *next, uint32_t limit,
		    uint32_t *index) ARNICA_MUST_CHECK;
void adev_index_give(struct adev_free_list *list, uint32_t index);

/* The queue pair under a handle; NULL: there is none. */
static inline struct adev_qp *adev_qp_by_handle(const struct adev_function *fn,
						uint32_t handle)
{
	return handle < fn->view.layout.max_qp ? fn->qps[handle] : NULL;
}

/* A reference to a valid protection domain, and its end. */
void adev_pd_get(struct adev_function *fn, uint32_t pd);
void adev_pd_put(struct adev_function *fn, uint32_t pd);

#endif
