/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Completions of send queues. */
#include "transport/complete.h"

#include <string.h>

/* Times of the RNR NAK timer codes, in units of 10 us (IBTA table 45). */
static const uint32_t rnr_timer_10us[32] = {
	65536, 1,   2,	 3,   4,   6,	 8,    12,   16,   24,	 32,
	48,    64,  96,	 128, 192, 256,	 384,  512,  768,  1024, 1536,
	2048,  3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768, 49152
};

uint64_t adev_rnr_timer_ns(uint32_t code)
{
	return (uint64_t)rnr_timer_10us[code & 31] * 10000u;
}

void adev_complete_send(struct adev_qp *qp, const struct adev_ended *ended,
			struct adev_completion *completion)
{
	bool returns_data = ended->opcode == ARNICA_HW_OP_READ ||
			    arnica_hw_opcode_is_atomic(ended->opcode);

	memset(completion, 0, sizeof(*completion));
	completion->wqe_index = ended->index;
	completion->byte_len = returns_data ? (uint32_t)ended->bytes : 0;
	completion->opcode = (uint8_t)ended->opcode;
	completion->status = (uint8_t)ended->status;
	completion->vendor_error = ended->vendor_error;
	adev_completion_publish(&qp->send_ring, qp->send_ring_head++,
				completion);
}
