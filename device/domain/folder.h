/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The folder of the host domain: the only thing of the adapter that has a path.
 *
 * All processes of a user in one network namespace must meet in the same
 * folder, whoever comes first and whatever their environment. So the place
 * follows from the machine: ARNICA_RUNTIME_DIR if set (that folder itself),
 * else arnica-<uid>-<boot>-<network namespace> in /dev/shm if that is a folder
 * we may write to, else in /run/user/<uid>, else in /tmp. A folder that others
 * could have prepared or can enter is refused; there is no second choice then.
 */
#ifndef ADEV_DOMAIN_FOLDER_H
#define ADEV_DOMAIN_FOLDER_H

#include <stddef.h>

#include "arnica/hw/format.h"

#define ADEV_FOLDER_PATH_BYTES 108u /* as in struct arnica_bus_identity */

/* The path, without looking at it. ENAMETOOLONG, EINVAL (not absolute). */
int adev_folder_path(char path[ADEV_FOLDER_PATH_BYTES]) ARNICA_MUST_CHECK;

/*
 * Makes the folder if needed and opens it (close-on-exec) after checking that
 * it is a folder of ours alone: EPERM if not, otherwise what the system said.
 * Every failure has written its line.
 */
int adev_folder_open(char path[ADEV_FOLDER_PATH_BYTES],
		     int *fd) ARNICA_MUST_CHECK;

#endif
