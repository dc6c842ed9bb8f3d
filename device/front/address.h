/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Address vectors, as CREATE_AH carries them.
 */
#ifndef ADEV_FRONT_ADDRESS_H
#define ADEV_FRONT_ADDRESS_H

#include <arnica/hw/cqp.h>

#include "transport/address_handle.h"

#define ADEV_NUM_PORTS 1u

/*
 * The way that an address vector describes. INVALID: no such port, no GRH (RoCE
 * has no other addresses), a field that is too large for its header, no
 * destination, or an empty entry of the GID table.
 */
enum arnica_hw_command_status
adev_address_resolve(uint32_t port,
		     const struct arnica_hw_qp_attributes *attributes,
		     struct adev_way *way) ARNICA_MUST_CHECK;

#endif
