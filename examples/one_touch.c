/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A window for one message: the peer reads it once, and the key is invalid. The
 * owner need not take it back, and the peer cannot come again.
 */
#include "pair.h"

static void bind_for_one_message(struct ibv_mw *window)
{
	const struct ibv_mw_bind_info info = {
		.mr = owner.mr,
		.addr = (uintptr_t)owner.buffer,
		.length = 64,
		.mw_access_flags = IBV_ACCESS_REMOTE_READ |
				   (unsigned int)ARNICADV_ACCESS_ONE_TOUCH,
	};
	struct ibv_qp_ex *ex = start(&owner);

	window->rkey = ibv_inc_rkey(window->rkey);
	ibv_wr_bind_mw(ex, window, window->rkey, &info);
	REQUIRE(!ibv_wr_complete(ex));
	succeeds(&owner);
}

static enum ibv_wc_status read_once(uint32_t rkey)
{
	struct ibv_qp_ex *ex = start(&peer);

	ibv_wr_rdma_read(ex, rkey, (uintptr_t)owner.buffer);
	ibv_wr_set_sge(ex, peer.mr->lkey, (uintptr_t)peer.buffer, 64);
	REQUIRE(!ibv_wr_complete(ex));
	return wait_for(&peer).status;
}

int main(void)
{
	struct ibv_mw *window;
	enum ibv_wc_status status;

	open_pair(NULL);
	window = ibv_alloc_mw(pd, IBV_MW_TYPE_2);
	REQUIRE(window);
	for (int i = 0; i < 3; i++) {
		snprintf(owner.buffer, 64, "secret number %d", i);
		bind_for_one_message(window);
		REQUIRE(read_once(window->rkey) == IBV_WC_SUCCESS);
		printf("the peer read: %s\n", peer.buffer);
	}
	status = read_once(window->rkey);
	printf("once more: %s\n", ibv_wc_status_str(status));
	REQUIRE(status == IBV_WC_REM_ACCESS_ERR);
	REQUIRE(!ibv_dealloc_mw(window));
	close_pair();
	return 0;
}
