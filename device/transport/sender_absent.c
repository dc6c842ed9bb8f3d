/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Of the sender, what the receiver's side calls, for a build without one. */
#include "transport/sender.h"

__attribute__((weak)) int adev_sender_create(struct adev_qp *qp)
{
	(void)qp;
	return 0;
}

__attribute__((weak)) void adev_sender_destroy(struct adev_qp *qp)
{
	(void)qp;
}

__attribute__((weak)) void adev_sender_answer(struct adev_qp *qp,
					      const struct adev_arrival *arrival)
{
	(void)qp;
	(void)arrival;
}
