/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The XRC domains that a function has open, each opening by itself. Lock role
 * `command`. */
#ifndef ADEV_FRONT_XRCD_TABLE_H
#define ADEV_FRONT_XRCD_TABLE_H

#include "core/function.h"

#define ADEV_MAX_XRCD 1024u

struct adev_xrcd {
	uint64_t id;	     /* zero: free */
	uint32_t references; /* SRQs and queue pairs */
};

/* Identity of an open domain; zero: there is none with this handle. */
uint64_t adev_xrcd_id(const struct adev_function *fn, uint32_t xrcd);

/* A reference, and its end; of ADEV_NO_XRCD nothing. */
#define ADEV_NO_XRCD UINT32_MAX
void adev_xrcd_get(struct adev_function *fn, uint32_t xrcd);
void adev_xrcd_put(struct adev_function *fn, uint32_t xrcd);

/* The function ends. */
void adev_xrcds_fini(struct adev_function *fn);

#endif
