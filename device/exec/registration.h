/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * REG_MR: checks what a request wants to register as REG_MR of the control
 * queue does (rights, range, memory that is really there), and gives it to the
 * region (tpt/fast.h). With lock role `send_queue`.
 */
#ifndef ADEV_EXEC_REGISTRATION_H
#define ADEV_EXEC_REGISTRATION_H

#include "transport/qp.h"

/* Carries out qp->message. Unless DONE, qp->message->refusal says why. */
enum adev_window_result adev_registration_execute(struct adev_qp *qp)
	ARNICA_MUST_CHECK;

#endif
