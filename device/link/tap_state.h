/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the files tap*.c share. */
#ifndef ADEV_LINK_TAP_STATE_H
#define ADEV_LINK_TAP_STATE_H

#include "link/tap.h"

/* Of the frames that raw packet queue pairs send: "rawp". */
#define ADEV_TAP_MARK 0x72617770u

int adev_tap_socket(int *fd) ARNICA_MUST_CHECK;
/* False: the kernel does not let us. */
bool adev_tap_mark(int fd);
/* Brings what is known of the interface up to date. */
void adev_tap_look(struct adev_tap *tap);

#endif
