/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The queue of a function's MADs, in its segment: slots that senders of the
 * host domain fill and the owner empties.
 *
 *     FREE -> CLAIMED -> POSTED (sender) -> TAKING -> FREE (owner)
 *
 * The word of a slot names in full who has it, so what the dead claimed is
 * free. A sender that is stopped in between keeps one slot.
 */
#ifndef ADEV_MAD_QUEUE_H
#define ADEV_MAD_QUEUE_H

#include "core/function.h"

/* Makes the function's own. ENOMEM. */
int adev_mad_queue_open(struct adev_function *fn) ARNICA_MUST_CHECK;

enum adev_mad_posted {
	ADEV_MAD_IS_POSTED,
	ADEV_MAD_NO_ROOM,
	ADEV_MAD_NOBODY, /* the function is not open for MADs */
};

/* Puts a MAD into the queue of a function, in the form that it is taken in, and
 * has its agent look. */
enum adev_mad_posted adev_mad_queue_post(
	const struct adev_function *fn, const struct adev_view *to,
	const struct arnica_bus_mad *mad) ARNICA_MUST_CHECK;

/* The oldest of the own; false: none. With lock role `mads`. */
bool adev_mad_queue_take(struct adev_function *fn, struct arnica_bus_mad *mad);

#endif
