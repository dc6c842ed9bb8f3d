/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory that peers of this host reach directly once it is registered, because
 * it is of the adapter's segment: arnicadv_alloc_shareable(3). To the program it
 * is memory as any; to the adapter, device memory with an address.
 */
#ifndef ARNICA_SHAREABLE_H
#define ARNICA_SHAREABLE_H

#include <infiniband/verbs.h>
#include <stddef.h>

struct arnica_context;
struct arnica_shareable;

/* NULL with errno: EINVAL, ENOMEM, or what the adapter says. */
void *arnica_shareable_alloc(struct ibv_context *context, size_t length);
/* 0 or errno. EINVAL: no such memory. EBUSY: a region stands in it. */
int arnica_shareable_free(struct ibv_context *context, void *address);

/* The function is gone, and the memory with it. */
void arnica_shareable_forget(struct arnica_context *context);

#endif
