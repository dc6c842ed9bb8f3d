/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Regions that page on demand: over memory that comes and goes, implicit ones,
 * and advice about them.
 */
#include <sys/mman.h>

#include "vt.h"

#define BYTES (64u << 10)
#define ON_DEMAND (VT_ALL_ACCESS | IBV_ACCESS_ON_DEMAND)

static struct vt_end a, b;

static uint8_t *map_at(void *address, int protection)
{
	void *memory = mmap(address, BYTES, protection,
			    MAP_PRIVATE | MAP_ANONYMOUS |
				    (address ? MAP_FIXED : 0),
			    -1, 0);

	VT_CHECK(memory != MAP_FAILED);
	return memory;
}

static void open_pair(void)
{
	struct vt_wish wish = vt_defaults();

	vt_pair_open(&a, &b, &wish, false);
}

/* Registered while nothing is there; then there is something, later something
 * else, and a request meets what is there at its time. */
static void memory_comes_and_goes_under_a_region(void)
{
	uint8_t *memory = map_at(NULL, PROT_NONE);
	struct ibv_mr *mr;

	if (VT_SANITIZED)
		vt_skip("sanitizers handle memory faults themselves");
	open_pair();
	VT_CHECK(!ibv_reg_mr(b.pd, memory, BYTES, VT_ALL_ACCESS));
	mr = ibv_reg_mr(b.pd, memory, BYTES, ON_DEMAND);
	VT_CHECK(mr);
	for (uint64_t round = 1; round <= 3; round++) {
		map_at(memory, PROT_READ | PROT_WRITE);
		VT_EQUAL(memory[0], 0);
		vt_fill(a.buffer, BYTES, round);
		vt_rdma(&a, round, IBV_WR_RDMA_WRITE, 0, BYTES,
			(uintptr_t)memory, mr->rkey);
		vt_expect(a.send_cq, round, IBV_WC_SUCCESS);
		vt_check_fill(memory, BYTES, round, "in the pages of now");
	}
	VT_EQUAL(munmap(memory, BYTES), 0);
	vt_rdma(&a, 9, IBV_WR_RDMA_WRITE, 0, BYTES, (uintptr_t)memory,
		mr->rkey);
	vt_expect(a.send_cq, 9, IBV_WC_REM_OP_ERR);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	vt_pair_close(&a, &b);
}

/* One region over everything: what a program has, and gets. */
static void an_implicit_region_is_all_of_memory(void)
{
	struct ibv_mr *local, *remote;
	uint8_t *from, *to, on_stack[64];
	struct ibv_sge sge = { .length = 64 };
	struct ibv_send_wr wr;

	open_pair();
	VT_CHECK(!ibv_reg_mr(a.pd, NULL, SIZE_MAX, VT_ALL_ACCESS));
	local = ibv_reg_mr(a.pd, NULL, SIZE_MAX, ON_DEMAND);
	remote = ibv_reg_mr(b.pd, NULL, SIZE_MAX, ON_DEMAND);
	VT_CHECK(local && remote);
	from = map_at(NULL, PROT_READ | PROT_WRITE);
	to = map_at(NULL, PROT_READ | PROT_WRITE);
	vt_fill(from, 64, 4);
	sge.addr = (uintptr_t)from;
	sge.lkey = local->lkey;
	wr = vt_send_wr(1, IBV_WR_RDMA_WRITE, &sge);
	wr.wr.rdma.remote_addr = (uintptr_t)to;
	wr.wr.rdma.rkey = remote->rkey;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_check_fill(to, 64, 4, "through implicit regions");
	sge.addr = (uintptr_t)on_stack;
	wr = vt_send_wr(2, IBV_WR_RDMA_READ, &sge);
	wr.wr.rdma.remote_addr = (uintptr_t)to;
	wr.wr.rdma.rkey = remote->rkey;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	vt_check_fill(on_stack, 64, 4, "read to the stack");
	VT_EQUAL(ibv_dereg_mr(local), 0);
	VT_EQUAL(ibv_dereg_mr(remote), 0);
	vt_pair_close(&a, &b);
}

static bool is_present(const uint8_t *memory)
{
	unsigned char there = 0;

	VT_EQUAL(mincore((void *)(uintptr_t)memory, 4096, &there), 0);
	return there & 1;
}

static int advise(struct ibv_pd *pd, enum ibv_advise_mr_advice advice,
		  uint64_t address, uint32_t length, uint32_t lkey)
{
	struct ibv_sge sge = { .addr = address, .length = length,
			       .lkey = lkey };

	return ibv_advise_mr(pd, advice, IBV_ADVISE_MR_FLAG_FLUSH, &sge, 1);
}

static void advice_brings_pages_in(void)
{
	uint8_t *memory = map_at(NULL, PROT_READ | PROT_WRITE);
	uint64_t address = (uintptr_t)memory;
	struct ibv_mr *mr, *pinned, *readable;
	struct ibv_pd *other;

	open_pair();
	mr = ibv_reg_mr(a.pd, memory, BYTES, ON_DEMAND);
	pinned = ibv_reg_mr(a.pd, a.buffer, 4096, VT_ALL_ACCESS);
	readable = ibv_reg_mr(a.pd, memory, 4096, IBV_ACCESS_ON_DEMAND);
	other = ibv_alloc_pd(a.context);
	VT_CHECK(mr && pinned && readable && other && !is_present(memory));
	VT_EQUAL(advise(a.pd, IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE, address,
			4096, mr->lkey), 0);
	VT_CHECK(is_present(memory) && !is_present(memory + 8192));
	VT_EQUAL(advise(a.pd, IBV_ADVISE_MR_ADVICE_PREFETCH, address, BYTES,
			mr->lkey), 0);
	VT_EQUAL(advise(a.pd, IBV_ADVISE_MR_ADVICE_PREFETCH, address,
			BYTES + 1, mr->lkey), EFAULT);
	VT_EQUAL(advise(a.pd, IBV_ADVISE_MR_ADVICE_PREFETCH,
			(uintptr_t)a.buffer, 64, pinned->lkey), EINVAL);
	VT_EQUAL(advise(a.pd, IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE, address, 64,
			readable->lkey), EPERM);
	VT_EQUAL(advise(other, IBV_ADVISE_MR_ADVICE_PREFETCH, address, 64,
			mr->lkey), EPERM);
	VT_EQUAL(advise(a.pd, IBV_ADVISE_MR_ADVICE_PREFETCH, address, 64,
			mr->lkey ^ 1), ENOENT);
	VT_EQUAL(advise(a.pd, (enum ibv_advise_mr_advice)77, address, 64,
			mr->lkey), ENOTSUP);
	VT_EQUAL(ibv_advise_mr(a.pd, IBV_ADVISE_MR_ADVICE_PREFETCH, 2, NULL, 0),
		 EINVAL);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	VT_EQUAL(ibv_dereg_mr(pinned), 0);
	VT_EQUAL(ibv_dereg_mr(readable), 0);
	VT_EQUAL(ibv_dealloc_pd(other), 0);
	vt_pair_close(&a, &b);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(memory_comes_and_goes_under_a_region),
		VT_CASE(an_implicit_region_is_all_of_memory),
		VT_CASE(advice_brings_pages_in),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
