/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where the tables of a segment are, and whether a foreign layout is sane. */
#include "core/layout.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/lines.h"

static uint64_t align_up(uint64_t value)
{
	return (value + ARNICA_HW_PAGE_BYTES - 1) &
	       ~(uint64_t)(ARNICA_HW_PAGE_BYTES - 1);
}

static uint64_t place(uint64_t *next, uint64_t bytes)
{
	uint64_t offset = *next;

	*next = align_up(offset + bytes);
	return offset;
}

static void place_tables(struct adev_layout *layout)
{
	uint64_t next = ADEV_SHARED_OFFSET;

	layout->shared_offset = place(&next, sizeof(struct adev_shared));
	layout->cqp_offset =
		place(&next, ARNICA_HW_CQP_DEPTH *
				     sizeof(struct arnica_hw_cqp_slot));
	layout->records_offset =
		place(&next, 2ull * layout->max_qp *
				     sizeof(struct arnica_hw_queue_record));
	layout->qp_offset = place(&next, (uint64_t)layout->max_qp *
						 sizeof(struct adev_qp_shared));
	layout->cq_offset = place(&next, (uint64_t)layout->max_cq *
						 sizeof(struct adev_cq_shared));
	layout->srq_offset =
		place(&next, (uint64_t)layout->max_srq *
				     sizeof(struct adev_srq_shared));
	layout->tpt_offset = place(&next, (uint64_t)layout->max_mr *
						  sizeof(struct adev_tpt_entry));
	layout->mcast_offset =
		place(&next, (uint64_t)layout->max_attach *
				     sizeof(struct adev_attachment));
	layout->inbox_offset = place(&next, ADEV_INBOX_TOTAL_BYTES);
	layout->heap_offset = next;
}

void adev_layout_compute(uint64_t size_bytes, struct adev_layout *layout)
{
	layout->size_bytes = size_bytes;
	layout->max_qp = ARNICA_HW_MAX_QP;
	layout->max_cq = ARNICA_HW_MAX_CQ;
	layout->max_mr = ARNICA_HW_MAX_MR;
	layout->max_pd = ARNICA_HW_MAX_PD;
	layout->max_srq = ARNICA_HW_MAX_SRQ;
	layout->max_attach = ARNICA_HW_MAX_MCAST_ATTACH;
	place_tables(layout);
	/* Tables take at most a quarter of a small segment. */
	while (layout->heap_offset > size_bytes / 4 && layout->max_qp > 256) {
		layout->max_qp /= 2;
		layout->max_cq /= 2;
		layout->max_mr /= 2;
		layout->max_srq /= 2;
		layout->max_attach /= 2;
		place_tables(layout);
	}
}

int adev_layout_check(const struct adev_layout *layout, uint64_t size_bytes)
{
	struct adev_layout expected;

	/* The layout follows from the size alone, so there is one right one. */
	adev_layout_compute(size_bytes, &expected);
	if (memcmp(layout, &expected, sizeof(expected)) ||
	    expected.heap_offset >= size_bytes)
		return EPROTO;
	return 0;
}

int adev_shared_read(int device_fd, struct adev_shared *shared)
{
	struct arnica_hw_segment_header header;

	if (pread(device_fd, &header, sizeof(header), 0) != sizeof(header) ||
	    arnica_from_le64(header.magic) != ARNICA_HW_SEGMENT_MAGIC)
		return EBADF;
	if (arnica_load32(&header.state, memory_order_relaxed) !=
	    ARNICA_HW_SEGMENT_RUNNING)
		return ESRCH;
	if (arnica_from_le32(header.version) != ARNICA_HW_VERSION ||
	    pread(device_fd, shared, sizeof(*shared),
		  (off_t)ADEV_SHARED_OFFSET) != sizeof(*shared))
		return EPROTO;
	return 0;
}
