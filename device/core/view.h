/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A view: a function's segment as mapped in this process, its own or a
 * peer's. Both are used by the same code; within a process everybody uses the
 * same mapping, so that ThreadSanitizer sees both sides of an access.
 *
 * Offsets that come out of a segment go through adev_view_at().
 */
#ifndef ADEV_CORE_VIEW_H
#define ADEV_CORE_VIEW_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/layout.h"

enum adev_dma_method {
	ADEV_DMA_LOCAL,      /* the address space is this process's */
	ADEV_DMA_PROCESS_VM, /* process_vm_readv, process_vm_writev */
	ADEV_DMA_BOUNCE,     /* through the inbox of the owner */
};

struct adev_function;

struct adev_view {
	struct adev_function *own; /* whose view this is; NULL: a peer's */
	char *base;
	uint64_t size;
	uint32_t function; /* slot in the directory */
	uint64_t generation;
	pid_t pid;
	int wake_fd; /* of the owner's agent */
	_Atomic int method; /* enum adev_dma_method */
	struct arnica_hw_segment_header *header;
	struct adev_shared *shared;
	struct arnica_hw_queue_record *records;
	struct adev_qp_shared *qps;
	struct adev_cq_shared *cqs;
	struct adev_srq_shared *srqs;
	struct adev_tpt_entry *tpt;
	struct adev_attachment *attachments;
	struct adev_inbox_slot *inbox;
	char *inbox_buffers;
	struct adev_layout layout; /* checked copy */
};

/* Fills in the pointers from a checked layout. */
void adev_view_init(struct adev_view *view, void *base, uint64_t size,
		    const struct adev_layout *layout);

static inline void *adev_view_at(const struct adev_view *view, uint64_t offset,
				 uint64_t length)
{
	if (offset > view->size || length > view->size - offset)
		return NULL;
	return view->base + offset;
}

/* Sets needs (enum adev_qp_needs) of a QP, and has its owner look. */
void adev_view_need(const struct adev_view *view, uint32_t qp, uint32_t needs);

/* Makes the owner's poll_cq enter the adapter, and wakes its agent when it
 * sleeps. */
void adev_view_kick(const struct adev_view *view);

#endif
