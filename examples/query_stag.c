/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which keys are out, and what do they permit? The owner lends a window and looks
 * at its key before, while and after the peer may use it.
 */
#include "pair.h"

static void show(const char *when, uint32_t stag,
		 enum arnicadv_stag_state expected)
{
	struct arnicadv_stag_attr attr = { .comp_mask = 0 };

	REQUIRE(!arnicadv_query_stag(context, stag, 0, &attr));
	printf("%-8s key %08x, instance %u: %s, %llu bytes at %llx\n", when,
	       stag, attr.instance,
	       attr.state == ARNICADV_STAG_VALID ? "valid" : "free",
	       (unsigned long long)attr.length, (unsigned long long)attr.addr);
	REQUIRE(attr.type == ARNICADV_STAG_WINDOW_2 && attr.state == expected);
	REQUIRE(attr.parent ==
		(expected == ARNICADV_STAG_VALID ? owner.mr->lkey : 0));
}

int main(void)
{
	struct ibv_mw_bind_info info;
	struct ibv_qp_ex *ex;
	struct ibv_mw *window;

	open_pair(NULL);
	window = ibv_alloc_mw(pd, IBV_MW_TYPE_2);
	REQUIRE(window);
	show("before", window->rkey, ARNICADV_STAG_FREE);

	info = (struct ibv_mw_bind_info){
		.mr = owner.mr,
		.addr = (uintptr_t)owner.buffer,
		.length = 4096,
		.mw_access_flags = IBV_ACCESS_REMOTE_READ,
	};
	window->rkey = ibv_inc_rkey(window->rkey);
	ex = start(&owner);
	ibv_wr_bind_mw(ex, window, window->rkey, &info);
	REQUIRE(!ibv_wr_complete(ex));
	succeeds(&owner);
	show("lent", window->rkey, ARNICADV_STAG_VALID);

	/* The peer gives it back. */
	post_receive(&owner);
	ex = start(&peer);
	ibv_wr_send_inv(ex, window->rkey);
	REQUIRE(!ibv_wr_complete(ex));
	succeeds(&peer);
	succeeds(&owner);
	show("returned", window->rkey, ARNICADV_STAG_FREE);

	REQUIRE(!ibv_dealloc_mw(window));
	close_pair();
	return 0;
}
