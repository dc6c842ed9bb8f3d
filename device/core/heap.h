/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Allocation of ranges in the heap part of a segment. The bookkeeping is
 * private to the owner's process. Ranges are whole pages; memory is populated
 * when it is allocated, so that a store never meets SIGBUS, and given back to
 * the system (and so zeroed) when it is freed.
 */
#ifndef ADEV_CORE_HEAP_H
#define ADEV_CORE_HEAP_H

#include <pthread.h>
#include <stdint.h>

#include <arnica/hw/format.h>

struct adev_range;

struct adev_heap {
	pthread_mutex_t lock;
	int fd;
	uint64_t used_bytes;
	uint64_t quota_bytes;
	struct adev_range *free_ranges; /* by ascending offset */
};

int adev_heap_init(struct adev_heap *heap, int fd, uint64_t offset,
		   uint64_t bytes, uint64_t quota_bytes) ARNICA_MUST_CHECK;
void adev_heap_fini(struct adev_heap *heap);

/* ENOMEM when there is no room, no memory, or the quota is used up. The memory
 * is zero. */
int adev_heap_alloc(struct adev_heap *heap, uint64_t bytes, uint64_t *offset)
	ARNICA_MUST_CHECK;
/* The same without giving the range its memory: who writes it must bear that
 * there is none. */
int adev_heap_reserve(struct adev_heap *heap, uint64_t bytes, uint64_t *offset)
	ARNICA_MUST_CHECK;
/* Bytes of all free ranges together. */
uint64_t adev_heap_room(struct adev_heap *heap);
void adev_heap_free(struct adev_heap *heap, uint64_t offset, uint64_t bytes);

#endif
