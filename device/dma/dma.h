/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Moves bytes between this process's memory and the address space of a view,
 * by the first way that works: a copy, when the address space is ours;
 * or the memory is part of a segment, which we have mapped as well (device
 * memory is); process_vm_readv and process_vm_writev; or the inbox of the
 * owner, whose threads do the work with bounce buffers. Atomic operations are
 * always CPU atomics on the memory itself: in the address space that they
 * concern, or through our mapping of it.
 *
 * Rule 3: the last bytes of a message are stored last.
 */
#ifndef ADEV_DMA_DMA_H
#define ADEV_DMA_DMA_H

#include "core/function.h"
#include "dma/guard.h"
#include "gather/gather.h"
#include "tpt/shared.h"
#include "tpt/tpt.h"

enum adev_dma_result {
	ADEV_DMA_DONE,
	ADEV_DMA_MORE,   /* part was done: call again */
	ADEV_DMA_LATER,  /* the owner has to do something first */
	ADEV_DMA_FAULT,  /* memory of the address space is not accessible */
	ADEV_DMA_LOCAL_FAULT, /* memory of this process is not */
	ADEV_DMA_GONE,   /* the owner's process is gone */
};

/* A transfer, and how far it came. */
struct adev_transfer {
	struct adev_function *fn; /* who asks */
	struct adev_view *view;   /* whose memory */
	const struct adev_gather *local;  /* in this process */
	const struct adev_gather *remote; /* in the view's address space */
	uint64_t bytes;           /* whole length */
	uint64_t done;            /* moved so far */
	uint32_t allowance;       /* at most so many more by this call */
	uint32_t service_level;   /* who gets in between, see sched/sched.h */
	struct adev_tpt_user user; /* the remote QP, for the owner's check */
	uint32_t access;          /* right that the remote pieces need */
	int inbox_slot;           /* -1: none */
	uint32_t inbox_bytes;
	bool unaided; /* what its owner would have to do fails */
};

enum adev_dma_result adev_dma_write(struct adev_transfer *transfer);
enum adev_dma_result adev_dma_read(struct adev_transfer *transfer);

/* What is done to eight bytes at once. */
enum adev_atomic {
	ADEV_ATOMIC_FETCH_ADD,
	ADEV_ATOMIC_CAS,
	ADEV_ATOMIC_WRITE, /* of `swap_or_add` */
};

/* remote: one piece of 8 bytes, aligned; *original its value before. */
enum adev_dma_result adev_dma_atomic(struct adev_transfer *transfer,
				     enum adev_atomic atomic,
				     uint64_t swap_or_add, uint64_t compare,
				     uint64_t *original);

/* Gives an inbox slot back when its transfer is abandoned. */
void adev_dma_abandon(struct adev_view *view, int inbox_slot);

/* Finds out how the memory of a peer can be reached. */
enum adev_dma_method adev_dma_probe(const struct adev_view *view);

/* CPU atomic on own memory; EFAULT when it is not writable. */
int adev_dma_atomic_here(uint64_t address, enum adev_atomic atomic,
			 uint64_t swap_or_add, uint64_t compare,
			 uint64_t *original) ARNICA_MUST_CHECK;

/* Inbox, the asking side: see dma/inbox.c. */
enum adev_dma_result adev_inbox_transfer(struct adev_transfer *transfer,
					 bool write);
enum adev_dma_result adev_inbox_atomic(struct adev_transfer *transfer,
				       enum adev_atomic atomic,
				       uint64_t swap_or_add, uint64_t compare,
				       uint64_t *original);

/* Inbox, the owner's side: serves what peers posted. */
void adev_inbox_serve(struct adev_function *fn);

/* Inbox, the owner's side: frees the slots of a dead peer. */
void adev_inbox_reclaim(struct adev_function *fn, uint32_t function,
			uint64_t generation);

#define ADEV_DMA_TAIL_BYTES 8u
#define ADEV_DMA_LINE_BYTES 64u

/*
 * How many of the bytes that end at `end` are stored last: the last eight, or
 * as many of them as are in the last cache line. A store across two lines can
 * be seen in two parts, and the second one first; within a line it is seen
 * whole. On x86, that is, where two stores are also seen in order. Elsewhere
 * only what is aligned is sure to be seen whole: a word, or the last byte.
 */
#if defined(__x86_64__) || defined(__i386__)
static inline uint64_t adev_dma_tail(uint64_t end, uint64_t bytes)
{
	uint64_t over = end % ADEV_DMA_LINE_BYTES;
	uint64_t tail = ADEV_DMA_TAIL_BYTES;

	if (__builtin_expect(over - 1 < ADEV_DMA_TAIL_BYTES - 1, 0))
		tail = over;
	return bytes < tail ? bytes : tail;
}
#else
static inline uint64_t adev_dma_tail(uint64_t end, uint64_t bytes)
{
	if (__builtin_expect(end % 8 == 0 && bytes >= 8, 1))
		return 8;
	if (end % 4 == 0 && bytes >= 4)
		return 4;
	return bytes < 1 ? bytes : 1;
}
#endif

/* Copies so that whoever watches the last bytes sees the others first. False: a
 * fault ended it. */
static inline bool adev_dma_copy_here(void *to, const void *from,
				      uint64_t bytes)
{
	uint64_t tail = adev_dma_tail((uintptr_t)to + bytes, bytes);
	uint64_t head = bytes - tail;

	if (head && !adev_guard_copy(to, from, head))
		return false;
	/* P7: the head is visible before the tail; the application that spins
	 * on the last byte is the observer. */
	atomic_thread_fence(memory_order_release);
	return adev_guard_copy((char *)to + head, (const char *)from + head,
			       tail);
}

/*
 * The place of memory that a key allows, in our own mapping of the owner's
 * segment; NULL when it lies elsewhere. Where the owner says that its mapping
 * begins is not trusted: the place is in the segment whatever it says, and that
 * memory is its own.
 */
static inline char *adev_dma_mapped(const struct adev_view *view, uint32_t stag,
				    uint64_t address, uint64_t bytes)
{
	uint64_t offset = address - view->shared->base_address;
	char *place = adev_view_at(view, offset, bytes);

	return place || !stag ?
		       place :
		       adev_tpt_shared_place(view, stag, address, bytes);
}

#endif
