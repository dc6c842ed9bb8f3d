/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The wire over UDP sockets: one that receives, on port 4791, and a few that
 * send, on ports from 0xc000 up. All are non-blocking and close-on-exec, and
 * none reports the ICMP errors that strangers can make.
 */
#ifndef ADEV_LINK_UDP_H
#define ADEV_LINK_UDP_H

#include "link/wire_ops.h"

extern const struct adev_wire_ops adev_udp_ops;

/* EADDRINUSE: port 4791 is not ours to have; EACCES, EMFILE, ENOMEM. Each has
 * written its line, once for each process. */
int adev_udp_open(struct adev_function *fn, void **lower) ARNICA_MUST_CHECK;

#endif
