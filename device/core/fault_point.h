/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Fault points: named places on the shared path where a test can have the
 * process killed, stopped or ended, to prove that nobody else is harmed.
 * Compiled to nothing unless ARNICA_FAULT_POINTS is set.
 *
 *   ARNICA_FAULT_POINT=name:count:kill|stop|exit   act at the count-th hit
 *   ARNICA_FAULT_LIST=FILE                         append each name, once
 */
#ifndef ADEV_CORE_FAULT_POINT_H
#define ADEV_CORE_FAULT_POINT_H

#ifdef ARNICA_FAULT_POINTS
#include <stdatomic.h>

struct adev_fault_point {
	const char *name;
	atomic_uint state;
};

void adev_fault_point_hit(struct adev_fault_point *point);

#define ADEV_POINT(point_name)                                                 \
	do {                                                                   \
		static struct adev_fault_point point = { point_name, 0 };      \
		adev_fault_point_hit(&point);                                  \
	} while (0)
#else
#define ADEV_POINT(point_name)                                                 \
	do {                                                                   \
	} while (0)
#endif

#endif
