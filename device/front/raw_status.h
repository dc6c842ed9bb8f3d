/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef ADEV_FRONT_RAW_STATUS_H
#define ADEV_FRONT_RAW_STATUS_H

#include <arnica/hw/cqp.h>

/* As adev_command_status(), for what raw packets can be refused with besides. */
enum arnica_hw_command_status adev_raw_status(int error);

#endif
