/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the host tells of the application's memory: see adopt/advice.h. */
#include <errno.h>

#include <arnica/hw/bus.h>

#include "adopt/advice.h"
#include "core/attach.h"
#include "core/cancel.h"
#include "core/export.h"

EXPORT bool arnica_bus_memory_concerned(const void *start, size_t bytes)
{
	return adev_adopt_concerns((uintptr_t)start, bytes);
}

EXPORT int arnica_bus_memory_advise(void *start, size_t bytes, int advice)
{
	return adev_adopt_advise((uintptr_t)start, bytes, advice);
}

EXPORT int arnica_bus_memory_moving(void *start, size_t bytes)
{
	int cancel = adev_cancel_off();

	adev_functions_release_memory((uintptr_t)start, bytes);
	adev_cancel_restore(cancel);
	return adev_adopt_concerns((uintptr_t)start, bytes) ? EBUSY : 0;
}
