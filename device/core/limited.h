/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A function under the port's limit (domain/limit.h): what it asks before it
 * sends, and what it is charged for: data that it sends, by memory or in packets,
 * sent again or not, and data that it reads. A function without a limit has no
 * struct adev_limit, and asks nothing.
 */
#ifndef ADEV_CORE_LIMITED_H
#define ADEV_CORE_LIMITED_H

#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/format.h"
#include "transport/requester.h"

struct adev_function;
struct adev_qp;

/*
 * After the function was entered into the directory: what the settings say of the
 * port's rate becomes the port's, and the function gets its part in it. ENODEV: a
 * setting is wrong, and a line was written; ENOMEM.
 */
int adev_limited_open(struct adev_function *fn) ARNICA_MUST_CHECK;
/* When nothing is sent any more. */
void adev_limited_close(struct adev_function *fn);

/* For functions that have a limit. Not now: ask again at *again_ns. */
bool adev_limited_may_send(struct adev_function *fn, uint64_t now_ns,
			   uint64_t *again_ns);
void adev_limited_sent(struct adev_function *fn, uint64_t now_ns,
		       uint64_t bytes);
/* It could not send after all, for another reason. */
void adev_limited_withdraw(struct adev_function *fn);

/* May a QP that has a pace (transport/pace.h) send now? Else it shall ask again
 * at *again_ns. */
bool adev_limited_pace(struct adev_qp *qp, uint64_t now_ns, uint64_t *again_ns);

/*
 * Both around each step of the message of a QP that has a pace, or whose function
 * has a limit; `sq_lock` held. False: it waits, until qp->retry_at_ns. A connection
 * over the wire asks for each packet instead (transport/sender_packet.c); requests
 * that need no port ask nobody.
 */
bool adev_limited_begin(struct adev_qp *qp);
void adev_limited_end(struct adev_qp *qp, enum adev_progress progress,
		      uint64_t done_before);

#endif
