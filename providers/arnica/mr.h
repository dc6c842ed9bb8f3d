/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory regions. The host mirrors of the adapter's table only what it needs
 * itself: where a region's own addresses (zero-based, or an iova) differ from
 * the process's, so that a poll can place payload. There are few such regions,
 * and mostly none.
 */
#ifndef ARNICA_MR_H
#define ARNICA_MR_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "context.h"

/* What a region of a dma-buf keeps (dmabuf.c). */
struct arnica_dmabuf {
	void *start;
	size_t bytes;
	int fd; /* a duplicate of its own */
	int access;
};

struct arnica_mr {
	struct arnica_abi_mr verbs; /* first: this is the library's view */
	uint64_t offset; /* add to the region's address; zero: the same */
	uint32_t lkey;
	uint32_t max_ranges; /* by work request: of a list; else zero */
	struct arnica_mr *next; /* list of translations */
	/* Of its registration; EINPROGRESS: not known to be over. */
	_Atomic int outcome;
	struct arnica_dmabuf *dmabuf; /* NULL: memory of the application */
};

/* ibv_alloc_null_mr(): zeros, and a sink. */
struct ibv_mr *arnica_mr_alloc_null(struct ibv_pd *pd);
static inline bool arnica_mr_is_null(struct ibv_mr *mr)
{
	return ((struct arnica_abi_mr *)(void *)mr)->type == ARNICA_ABI_MR_NULL;
}

/* Any length: device memory may be registered with none. */
struct ibv_mr *arnica_mr_create(struct ibv_pd *pd, void *address, size_t length,
				uint64_t iova, int access);
struct ibv_mr *arnica_mr_reg(struct ibv_pd *pd, void *address, size_t length,
			     uint64_t iova, int access);
/* arnicadv_reg_mr(): the same, not waited for. */
struct ibv_mr *arnica_mr_begin(struct ibv_pd *pd, void *address, size_t length,
			       uint64_t iova, int access);
/* arnicadv_alloc_mr(): its memory comes with work requests. */
struct ibv_mr *arnica_mr_alloc(struct ibv_pd *pd, uint32_t max_ranges);
/* Entries of a list for such a region; zero: it is none. */
static inline uint32_t arnica_mr_max_ranges(struct ibv_mr *mr)
{
	return ((struct arnica_mr *)(void *)mr)->max_ranges;
}

int arnica_mr_rereg(struct arnica_abi_mr *mr, int flags, struct ibv_pd *pd,
		    void *address, size_t length, int access);
int arnica_mr_advise(struct ibv_pd *pd, enum ibv_advise_mr_advice advice,
		     uint32_t flags, struct ibv_sge *sges, uint32_t num_sges);
int arnica_mr_dereg(struct arnica_abi_mr *mr);

/* A region of another context of the function, and its end here. Its address is
 * not known here (NULL). EINVAL: none of this domain. */
struct ibv_mr *arnica_mr_import(struct ibv_pd *pd, uint32_t handle);
void arnica_mr_unimport(struct ibv_mr *mr);

/* 0, or what the verbs interface says about these access rights. */
int arnica_mr_check_access(int access) ARNICA_MUST_CHECK;

void *arnica_mr_find_translation(struct arnica_context *context, uint32_t lkey,
				 uint64_t address);

/* The process's address of an address in the region `lkey`; NULL: what is placed
 * there is dropped. */
static inline void *arnica_mr_translate(struct arnica_context *context,
					uint32_t lkey, uint64_t address)
{
	if (__builtin_expect(atomic_load_explicit(&context->num_translations,
						  memory_order_acquire) == 0,
			     1))
		return (void *)(uintptr_t)address;
	return arnica_mr_find_translation(context, lkey, address);
}

#endif
