/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the files that carry the bus have in common, see arnica/hw/bus.h. */
#ifndef ADEV_FRONT_BUS_H
#define ADEV_FRONT_BUS_H

#include <arnica/hw/bus.h>

#include "core/export.h"
#include "core/function.h"

/* The host's handle is the function. */
static inline struct adev_function *function_of(struct arnica_bus *bus)
{
	return (struct adev_function *)bus;
}

#endif
