/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* First-fit allocation of page ranges, with merging of neighbours. */
#include "core/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include <arnica/hw/limits.h>

#include "domain/segment.h"

struct adev_range {
	uint64_t offset;
	uint64_t bytes;
	struct adev_range *next;
};

static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + ARNICA_HW_PAGE_BYTES - 1) &
	       ~(uint64_t)(ARNICA_HW_PAGE_BYTES - 1);
}

int adev_heap_init(struct adev_heap *heap, int fd, uint64_t offset,
		   uint64_t bytes, uint64_t quota_bytes)
{
	struct adev_range *range = malloc(sizeof(*range));

	if (!range)
		return ENOMEM;
	*range = (struct adev_range){ .offset = offset, .bytes = bytes };
	pthread_mutex_init(&heap->lock, NULL);
	heap->fd = fd;
	heap->used_bytes = 0;
	heap->quota_bytes = quota_bytes;
	heap->free_ranges = range;
	return 0;
}

void adev_heap_fini(struct adev_heap *heap)
{
	struct adev_range *range = heap->free_ranges;

	while (range) {
		struct adev_range *next = range->next;

		free(range);
		range = next;
	}
	heap->free_ranges = NULL;
	pthread_mutex_destroy(&heap->lock);
}

static int take_range(struct adev_heap *heap, uint64_t bytes, uint64_t *offset)
{
	struct adev_range **link = &heap->free_ranges;

	if (bytes > heap->quota_bytes - heap->used_bytes)
		return ENOMEM;
	for (; *link; link = &(*link)->next) {
		struct adev_range *range = *link;

		if (range->bytes < bytes)
			continue;
		*offset = range->offset;
		range->offset += bytes;
		range->bytes -= bytes;
		if (!range->bytes) {
			*link = range->next;
			free(range);
		}
		heap->used_bytes += bytes;
		return 0;
	}
	return ENOMEM;
}

static void merge_with_next(struct adev_range *range)
{
	struct adev_range *next = range->next;

	if (!next || range->offset + range->bytes != next->offset)
		return;
	range->bytes += next->bytes;
	range->next = next->next;
	free(next);
}

static void give_range(struct adev_heap *heap, uint64_t offset, uint64_t bytes)
{
	struct adev_range *range, *previous = NULL, *next = heap->free_ranges;

	heap->used_bytes -= bytes;
	while (next && next->offset < offset) {
		previous = next;
		next = next->next;
	}
	if (previous && previous->offset + previous->bytes == offset) {
		previous->bytes += bytes;
		merge_with_next(previous);
		return;
	}
	if (next && offset + bytes == next->offset) {
		next->offset = offset;
		next->bytes += bytes;
		return;
	}
	range = malloc(sizeof(*range));
	if (!range)
		return; /* the range is lost to the heap, not to the system */
	*range = (struct adev_range){ offset, bytes, next };
	if (previous)
		previous->next = range;
	else
		heap->free_ranges = range;
}

int adev_heap_reserve(struct adev_heap *heap, uint64_t bytes, uint64_t *offset)
{
	int error;

	pthread_mutex_lock(&heap->lock);
	error = take_range(heap, whole_pages(bytes), offset);
	pthread_mutex_unlock(&heap->lock);
	return error;
}

int adev_heap_alloc(struct adev_heap *heap, uint64_t bytes, uint64_t *offset)
{
	int error = adev_heap_reserve(heap, bytes, offset);

	if (error)
		return error;
	bytes = whole_pages(bytes);
	error = adev_segment_populate(heap->fd, *offset, bytes);
	if (error)
		adev_heap_free(heap, *offset, bytes);
	return error;
}

void adev_heap_free(struct adev_heap *heap, uint64_t offset, uint64_t bytes)
{
	bytes = whole_pages(bytes);
	/* Punching the hole first: a range in the free list is always zero. */
	(void)fallocate(heap->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			(off_t)offset, (off_t)bytes);
	pthread_mutex_lock(&heap->lock);
	give_range(heap, offset, bytes);
	pthread_mutex_unlock(&heap->lock);
}

uint64_t adev_heap_room(struct adev_heap *heap)
{
	uint64_t bytes;

	pthread_mutex_lock(&heap->lock);
	bytes = heap->quota_bytes - heap->used_bytes;
	pthread_mutex_unlock(&heap->lock);
	return bytes;
}
