/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Requests that the adapter carries out by itself: BIND_MW and LOCAL_INV. They
 * take their place in the order of the send queue: what was posted before has
 * been sent, what was posted behind comes after them. They complete after what
 * was posted before. With lock role `send_queue`.
 */
#ifndef ADEV_EXEC_LOCAL_H
#define ADEV_EXEC_LOCAL_H

#include "transport/requester.h"

/* Carries out qp->message. WAIT: accesses through the window are still under
 * way, a fence holds it, or it was refused and fails in its turn. */
enum adev_progress adev_local_run(struct adev_qp *qp) ARNICA_MUST_CHECK;

#endif
