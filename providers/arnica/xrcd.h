/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * XRC domains. Which of them are the same, the adapter knows by the file that
 * they are associated with; the host keeps that file, so that no other one gets
 * its identity while the domain is open.
 */
#ifndef ARNICA_XRCD_H
#define ARNICA_XRCD_H

#include <infiniband/verbs.h>
#include <stdint.h>

struct arnica_xrcd {
	/* The library's view: what it calls verbs_xrcd. */
	struct ibv_xrcd verbs;
	uint32_t comp_mask;
	uint32_t handle;
	int fd; /* own duplicate; -1: of no file */
};

static inline struct arnica_xrcd *arnica_xrcd_of(struct ibv_xrcd *xrcd)
{
	return (struct arnica_xrcd *)(void *)xrcd;
}

struct ibv_xrcd *arnica_xrcd_open(struct ibv_context *context,
				  struct ibv_xrcd_init_attr *attr);
/* EBUSY while something belongs to it. */
int arnica_xrcd_close(struct ibv_xrcd *xrcd);

#endif
