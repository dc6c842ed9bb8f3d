/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Descriptor buffers of execution engines. */
#include "exec/descriptors.h"

#include <stdlib.h>
#include <string.h>

#include "exec/exec.h"

/* How many descriptors of this queue there is room for. Zero: it has none, and
 * descriptors are read where they are. */
static uint32_t room_for(const struct adev_qp *qp, struct adev_descriptors *has)
{
	uint32_t room = ARNICA_HW_ENGINE_DESCRIPTORS;

	if (!has->bytes)
		has->bytes = malloc(ARNICA_HW_ENGINE_BYTES);
	if (!has->bytes)
		return 0;
	while (room * qp->sq_stride > ARNICA_HW_ENGINE_BYTES)
		room /= 2;
	return room;
}

static char *slot(const struct adev_qp *qp, const struct adev_descriptors *has,
		  uint32_t index)
{
	return has->bytes + (size_t)(index & (has->room - 1)) * qp->sq_stride;
}

/* What was executed meanwhile by others, or is under way, is not needed. */
static void drop_done(const struct adev_qp *qp, struct adev_descriptors *has)
{
	uint32_t next = qp->head + qp->active;
	uint32_t done = next - has->first;

	if (has->count && done <= has->count) {
		has->first = next;
		has->count -= done;
		return;
	}
	has->first = next;
	has->count = 0;
}

void adev_descriptors_fill(struct adev_qp *qp, struct adev_engine *engine,
			   uint32_t *fetches, uint32_t *fetched)
{
	struct adev_descriptors *has = &engine->descriptors;
	uint32_t room = room_for(qp, has), end, i;
	/* Entries are complete before they are announced. */
	uint32_t producer = atomic_load_explicit(&qp->producer,
						 memory_order_acquire);

	if (room != has->room)
		has->count = 0;
	has->room = room;
	drop_done(qp, has);
	end = has->first + has->count;
	if (producer - end > room - has->count)
		producer = end + room - has->count;
	if (!room || producer == end)
		return;
	for (i = end; i != producer; i++)
		memcpy(slot(qp, has, i), adev_exec_descriptor(qp, i),
		       qp->sq_stride);
	has->count += producer - end;
	*fetched += producer - end;
	++*fetches;
}

const void *adev_descriptors_take(struct adev_qp *qp,
				  struct adev_engine *engine,
				  uint32_t *fetches, uint32_t *fetched)
{
	struct adev_descriptors *has = &engine->descriptors;

	if (has->count)
		drop_done(qp, has);
	if (has->count < engine->watermark)
		adev_descriptors_fill(qp, engine, fetches, fetched);
	if (has->count)
		return slot(qp, has, qp->head);
	++*fetches;
	++*fetched;
	return adev_exec_descriptor(qp, qp->head);
}
