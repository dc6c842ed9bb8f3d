/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Doorbell handler: writes to the doorbell pages and the priority area. */
#ifndef ADEV_FRONT_DOORBELL_H
#define ADEV_FRONT_DOORBELL_H

#include "core/function.h"

void adev_doorbell_write(struct adev_function *fn, uint32_t page,
			 uint32_t offset, uint64_t value);
void adev_doorbell_area(struct adev_function *fn, uint32_t page,
			uint32_t offset, uint32_t length, uint64_t value);

#endif
