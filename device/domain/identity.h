/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who the adapter is, before any function exists: a node GUID that all
 * processes of the domain agree on, vendor and part numbers, the folder of the
 * domain, and the port as it is now (port.h).
 */
#ifndef ADEV_DOMAIN_IDENTITY_H
#define ADEV_DOMAIN_IDENTITY_H

#include "arnica/hw/bus.h"
#include "settings.h"

/* Locally administered, hence no vendor's. Settings replace them. */
#define ADEV_IDENTITY_VENDOR_ID 0x02a12cu
#define ADEV_IDENTITY_PART_ID 1u

/*
 * Creates the domain's folder when it is not there yet. EPERM: the folder is
 * not ours alone; EINVAL: a setting is wrong; ENOSPC, EACCES,
 * ENAMETOOLONG: from the folder. Each has written a line.
 */
int adev_identity_read(struct arnica_bus_identity *identity) ARNICA_MUST_CHECK;

/* Are the configuration file, if there is one, and the variables understood? Else
 * a line was written: the device is not there before that is put right. */
int adev_settings_check(void) ARNICA_MUST_CHECK;

/* arnica_setting_number(), which says what is wrong in a line of the log. */
int adev_setting_number(enum arnica_setting setting, uint64_t otherwise,
			uint64_t *number) ARNICA_MUST_CHECK;

#endif
