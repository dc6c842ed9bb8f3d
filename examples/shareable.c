/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory that peers of the same host reach by loads and stores, whatever the
 * process is like (threads, io_uring, a strict kernel): it is allocated instead
 * of adopted. Otherwise it is registered and used as any other.
 */
#include "pair.h"

#define BYTES ((size_t)1 << 20)

int main(void)
{
	struct ibv_mr *mr;
	char *memory;

	open_pair(NULL);
	memory = arnicadv_alloc_shareable(context, BYTES);
	REQUIRE(memory);
	mr = ibv_reg_mr(pd, memory, BYTES,
			IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	REQUIRE(mr);

	strcpy(peer.buffer, "written by the peer");
	struct ibv_qp_ex *ex = start(&peer);

	ibv_wr_rdma_write(ex, mr->rkey, (uintptr_t)memory);
	ibv_wr_set_sge(ex, peer.mr->lkey, (uintptr_t)peer.buffer, 32);
	REQUIRE(!ibv_wr_complete(ex));
	succeeds(&peer);
	printf("the owner finds: %s\n", memory);
	REQUIRE(!strcmp(memory, peer.buffer));

	/* Not as long as a region stands in it. */
	REQUIRE(arnicadv_free_shareable(context, memory));
	REQUIRE(!ibv_dereg_mr(mr));
	REQUIRE(!arnicadv_free_shareable(context, memory));
	close_pair();
	return 0;
}
