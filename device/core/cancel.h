/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A thread that is cancelled (pthread_cancel) ends at its next system call of
 * certain kinds. Inside the adapter it would leave locks and half-done work
 * behind, so wherever the adapter makes such a call cancelling waits. On the
 * path of a message there is none, and this is not paid for.
 */
#ifndef ADEV_CORE_CANCEL_H
#define ADEV_CORE_CANCEL_H

#include <pthread.h>

static inline int adev_cancel_off(void)
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

static inline void adev_cancel_restore(int before)
{
	pthread_setcancelstate(before, NULL);
}

#endif
