/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Checks of address vectors, as CREATE_AH and MODIFY_QP carry them.
 */
#ifndef ADEV_FRONT_ADDRESS_H
#define ADEV_FRONT_ADDRESS_H

#include <arnica/hw/cqp.h>

#define ADEV_NUM_PORTS 1u

/*
 * INVALID: no such port, no GRH (RoCE has no other addresses), a field that is
 * too large for its header, no destination, or an empty entry of the GID table.
 */
enum arnica_hw_command_status adev_address_check(
	uint32_t port,
	const struct arnica_hw_qp_attributes *attributes) ARNICA_MUST_CHECK;

#endif
