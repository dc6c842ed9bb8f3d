/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Counting what is lost. */
#include "transport/loss.h"

#include "trace.h"

void adev_count_loss(struct adev_function *fn, uint32_t qpn, enum adev_loss why)
{
	struct adev_counters *counters = &fn->counters;

	arnica_trace_message_lost(qpn, why);
	switch (why) {
	case ADEV_LOSS_NO_QP:
		adev_count(counters, lost_no_qp);
		break;
	case ADEV_LOSS_NOT_READY:
		adev_count(counters, lost_not_ready);
		break;
	case ADEV_LOSS_QKEY:
		adev_count(counters, lost_qkey);
		break;
	case ADEV_LOSS_NO_RECEIVE:
		adev_count(counters, lost_no_receive);
		break;
	case ADEV_LOSS_REFUSED:
		adev_count(counters, lost_refused);
		break;
	case ADEV_LOSS_NO_ROOM:
		adev_count(counters, lost_no_room);
		break;
	case ADEV_LOSS_BUSY:
		adev_count(counters, lost_busy);
		break;
	case ADEV_LOSS_NO_PATH:
		adev_count(counters, lost_no_path);
		break;
	}
}
