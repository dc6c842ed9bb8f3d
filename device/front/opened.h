/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* XRC_RECV queue pairs that several have: those of others that this function has
 * open, and those of its own that only others have still. Lock role `command`. */
#ifndef ADEV_FRONT_OPENED_H
#define ADEV_FRONT_OPENED_H

#include "core/function.h"

#define ADEV_MAX_OPENED 1024u

/* The function ends in good order. */
void adev_opened_close_all(struct adev_function *fn);

/* Its maker destroys it. True: others have it open, so it stays. */
bool adev_qp_orphan(struct adev_function *fn, struct adev_qp *qp);

/* Ends those that nobody has any more. */
void adev_orphans_reap(struct adev_function *fn);

#endif
