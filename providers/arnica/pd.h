/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Protection domains, thread domains, and parent domains that join the two and
 * bring the application's allocators. A parent domain is used wherever a
 * protection domain is: it bears the handle of the one that it was made of.
 */
#ifndef ARNICA_PD_H
#define ARNICA_PD_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct arnica_td {
	struct ibv_td verbs;
	_Atomic uint32_t references; /* parent domains */
};

struct arnica_pd {
	struct ibv_pd verbs; /* first: the library's view */
	/* Parent domains of a domain; QPs of a parent domain. */
	_Atomic uint32_t references;
	struct arnica_pd *origin; /* parent domain: what it was made of */
	struct arnica_td *td;	  /* or NULL */
	void *(*alloc)(struct ibv_pd *pd, void *context, size_t size,
		       size_t alignment, uint64_t resource_type);
	void (*free)(struct ibv_pd *pd, void *context, void *memory,
		     uint64_t resource_type);
	void *context;
};

/* What an application's allocator is asked for; rdma-core puts the driver's
 * number, which arnica has none of, into the upper half. */
enum arnica_resource_type {
	ARNICA_RESOURCE_SEND_QUEUE = 1,
	ARNICA_RESOURCE_RECEIVE_QUEUE = 2,
};

/* Memory that may be the application's. */
struct arnica_pd_memory {
	void *start;
	bool foreign; /* of pd->alloc */
};

static inline struct arnica_pd *arnica_pd_of(struct ibv_pd *pd)
{
	return (struct arnica_pd *)(void *)pd;
}

/* One thread at a time uses what is made of this domain: it was promised by
 * giving it a thread domain. */
static inline bool arnica_pd_is_single_threaded(struct ibv_pd *pd)
{
	return arnica_pd_of(pd)->td != NULL;
}

struct ibv_pd *arnica_pd_alloc(struct ibv_context *context);
/* EBUSY while something is made of it. */
int arnica_pd_dealloc(struct ibv_pd *pd);

/* A domain of another context of the function, and its end here. */
struct ibv_pd *arnica_pd_import(struct ibv_context *context, uint32_t handle);
void arnica_pd_unimport(struct ibv_pd *pd);

struct ibv_td *arnica_td_alloc(struct ibv_context *context,
			       struct ibv_td_init_attr *attr);
int arnica_td_dealloc(struct ibv_td *td);

struct ibv_pd *
arnica_pd_alloc_parent(struct ibv_context *context,
		       struct ibv_parent_domain_init_attr *attr);

/* A QP comes, or goes: keeps a parent domain busy. */
void arnica_pd_get(struct ibv_pd *pd);
void arnica_pd_put(struct ibv_pd *pd);

/* Host-side memory for an object of the domain; false when out of memory. */
bool arnica_pd_memory_take(struct ibv_pd *pd, size_t bytes,
			   enum arnica_resource_type type,
			   struct arnica_pd_memory *memory);
void arnica_pd_memory_give(struct ibv_pd *pd, enum arnica_resource_type type,
			   struct arnica_pd_memory *memory);

#endif
