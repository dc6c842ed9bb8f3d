/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A storage protocol in small. The owner registers a page list as one region
 * and sends its key, in one request; the peer writes the data there and ends the
 * region with its answer. No command and no system call per request, and the
 * memory is open for as long as it is needed.
 */
#include "pair.h"

#define PAGE 4096
#define PAGES 4

struct request {
	uint32_t rkey;
	uint32_t bytes;
};

static struct ibv_mr *region;

/* Pages of the owner's that are in no order: one region of 16 KiB at address 0. */
static void ask(char *memory, uint64_t *pages)
{
	struct arnicadv_reg_attr attr = {
		.rkey = ibv_inc_rkey(region->rkey),
		.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE,
		.length = PAGES * PAGE,
		.num_entries = PAGES,
		.page_size = PAGE,
		.pages = pages,
	};
	struct request request = { attr.rkey, PAGES * PAGE };
	struct ibv_qp_ex *ex;

	for (int i = 0; i < PAGES; i++)
		pages[i] = (uintptr_t)memory + (PAGES - 1 - i) * PAGE;
	post_receive(&owner);
	memcpy(owner.buffer + PAGE, &request, sizeof(request));
	ex = start(&owner);
	arnicadv_wr_reg_mr_send(arnicadv_qp_ex_from_ibv_qp_ex(ex), region,
				&attr);
	ibv_wr_set_sge(ex, owner.mr->lkey, (uintptr_t)owner.buffer + PAGE,
		       sizeof(request));
	REQUIRE(!ibv_wr_complete(ex));
	region->rkey = attr.rkey;
	succeeds(&owner);
}

static void answer(void)
{
	struct request request;
	struct ibv_qp_ex *ex;

	succeeds(&peer);
	memcpy(&request, peer.buffer, sizeof(request));
	for (int i = 0; i < PAGES; i++)
		memset(peer.buffer + i * PAGE, 'a' + i, PAGE);
	ex = start(&peer);
	ibv_wr_rdma_write(ex, request.rkey, 0);
	ibv_wr_set_sge(ex, peer.mr->lkey, (uintptr_t)peer.buffer,
		       request.bytes);
	ibv_wr_send_inv(ex, request.rkey);
	REQUIRE(!ibv_wr_complete(ex));
	succeeds(&peer);
	succeeds(&peer);
}

int main(void)
{
	struct arnicadv_qp_init_attr with_registration = {
		.comp_mask = ARNICADV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.send_ops_flags = ARNICADV_QP_EX_WITH_REG_MR_SEND,
	};
	struct arnicadv_mr_init_attr init = { .max_ranges = PAGES };
	uint64_t pages[PAGES];
	char *memory;
	struct ibv_wc wc;

	open_pair(&with_registration);
	memory = aligned_alloc(PAGE, PAGES * PAGE);
	region = arnicadv_alloc_mr(pd, &init);
	REQUIRE(memory && region);
	memset(memory, 0, PAGES * PAGE);
	post_receive(&peer);
	ask(memory, pages);
	answer();
	wc = wait_for(&owner);
	REQUIRE(wc.status == IBV_WC_SUCCESS);
	REQUIRE(wc.wc_flags & IBV_WC_WITH_INV);
	REQUIRE(wc.invalidated_rkey == region->rkey);
	printf("pages as they lie in memory: %c %c %c %c; the key is gone\n",
	       memory[0], memory[PAGE], memory[2 * PAGE], memory[3 * PAGE]);
	REQUIRE(memory[0] == 'd' && memory[3 * PAGE] == 'a');
	REQUIRE(!ibv_dereg_mr(region));
	free(memory);
	close_pair();
	return 0;
}
