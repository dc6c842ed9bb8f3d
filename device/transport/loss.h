/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Messages of unreliable services that are lost: to the sender they were sent.
 * Each loss has a reason, which is counted and traced.
 */
#ifndef ADEV_TRANSPORT_LOSS_H
#define ADEV_TRANSPORT_LOSS_H

#include "core/function.h"

enum adev_loss {
	ADEV_LOSS_NO_QP = 1,  /* nobody has the number */
	ADEV_LOSS_NOT_READY,  /* another type, state, peer or incarnation */
	ADEV_LOSS_QKEY,       /* UD: not the Q_Key of the destination */
	ADEV_LOSS_NO_RECEIVE, /* none posted */
	ADEV_LOSS_REFUSED,    /* its length, key or right is wrong there */
	ADEV_LOSS_NO_ROOM,    /* nowhere to put it until the host polls */
	ADEV_LOSS_BUSY,       /* somebody keeps the destination locked */
	ADEV_LOSS_NO_PATH,    /* no way to the other host */
};

void adev_count_loss(struct adev_function *fn, uint32_t qpn,
		     enum adev_loss why);

#endif
