/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Registration takes its time; nobody has to wait for it. The owner begins to
 * register 64 MiB, tells the key at once, and the peer's write arrives when the
 * memory is ready for it.
 */
#include <sys/mman.h>

#include "pair.h"

#define LARGE_BYTES (64ull << 20)

int main(void)
{
	struct arnicadv_reg_mr_attr attr = {
		.length = LARGE_BYTES,
		.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE,
	};
	struct ibv_qp_ex *ex;
	struct ibv_mr *mr;
	char *last;

	open_pair(NULL);
	attr.addr = mmap(NULL, LARGE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(attr.addr != MAP_FAILED);
	mr = arnicadv_reg_mr(pd, &attr);
	REQUIRE(mr);
	printf("the key is %08x, and the region %s\n", mr->rkey,
	       arnicadv_query_mr(mr) ? "not registered yet" : "registered");

	strcpy(peer.buffer, "here it is");
	last = (char *)attr.addr + LARGE_BYTES - 64;
	ex = start(&peer);
	ibv_wr_rdma_write(ex, mr->rkey, (uintptr_t)last);
	ibv_wr_set_sge(ex, peer.mr->lkey, (uintptr_t)peer.buffer, 64);
	REQUIRE(!ibv_wr_complete(ex));
	succeeds(&peer);

	/* Zero by now; else it would say why the region cannot be registered. */
	REQUIRE(!arnicadv_wait_mr(mr, -1));
	printf("the peer wrote \"%s\"\n", last);
	REQUIRE(!strcmp(last, "here it is"));
	REQUIRE(!ibv_dereg_mr(mr));
	REQUIRE(!munmap(attr.addr, LARGE_BYTES));
	close_pair();
	return 0;
}
