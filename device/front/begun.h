/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Registrations behind the program's back: the control processor. BEGIN_MR
 * makes the entry and its key, and leaves what takes long, bringing the pages
 * in, to a thread of the function's own, one region after the other. Until it
 * is over the entry says that it is pending (tpt/pending.h), and whoever uses the
 * key waits.
 *
 * The thread holds no lock while it brings pages in. The end of a registration
 * is written with lock role `command` held, by the thread or by a command that
 * needs it: commands are carried out in order. Pages are never moved for such a
 * region: it uses what is adopted already (adopt/adopt.h), and no more.
 *
 * Lock role `begun`.
 */
#ifndef ADEV_FRONT_BEGUN_H
#define ADEV_FRONT_BEGUN_H

#include "front/region.h"

/* With lock role `command`. ENOMEM. */
int adev_begun_add(struct adev_function *fn, uint32_t index,
		   const struct adev_region *region) ARNICA_MUST_CHECK;

/* Of entry `index`, if there is one: waits for it and ends it; or has it fail
 * as soon as that is possible. With lock role `command`. */
void adev_begun_wait(struct adev_function *fn, uint32_t index);
void adev_begun_cancel(struct adev_function *fn, uint32_t index);

/* The function ends: all of them are given up. No lock held. */
void adev_begun_stop(struct adev_function *fn);

/* In the child of a fork, where the thread is not. */
void adev_begun_forget(struct adev_function *fn);

#endif
