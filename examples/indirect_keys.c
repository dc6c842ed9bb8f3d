/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A message to many places. The owner makes one key for three pieces of memory;
 * the peer writes to it as if it were one buffer.
 */
#include "pair.h"

int main(void)
{
	struct arnicadv_mkey_init_attr attr = { .max_entries = 3 };
	struct arnicadv_mkey *mkey;
	struct ibv_sge pieces[3];
	struct ibv_qp_ex *ex;

	open_pair(NULL);
	attr.pd = pd;
	mkey = arnicadv_create_mkey(&attr);
	REQUIRE(mkey);
	for (int i = 0; i < 3; i++)
		pieces[i] = (struct ibv_sge){
			(uintptr_t)owner.buffer + 8192 * i, 5, owner.mr->lkey,
		};
	REQUIRE(!arnicadv_set_mkey_list(mkey,
					IBV_ACCESS_LOCAL_WRITE |
						IBV_ACCESS_REMOTE_WRITE,
					3, pieces));

	memcpy(peer.buffer, "firstotherthird", 15);
	ex = start(&peer);
	ibv_wr_rdma_write(ex, mkey->rkey, 0);
	ibv_wr_set_sge(ex, peer.mr->lkey, (uintptr_t)peer.buffer, 15);
	REQUIRE(!ibv_wr_complete(ex));
	succeeds(&peer);
	for (int i = 0; i < 3; i++)
		printf("at %5d: %.5s\n", 8192 * i, owner.buffer + 8192 * i);
	REQUIRE(!memcmp(owner.buffer + 8192, "other", 5));

	REQUIRE(!arnicadv_destroy_mkey(mkey));
	close_pair();
	return 0;
}
