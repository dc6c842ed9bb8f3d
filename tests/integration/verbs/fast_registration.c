/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Registration by work requests, and its end: by LOCAL_INV, by the peer, by
 * ibv_dereg_mr(). What a registration may not be, and what follows then, by the
 * option of the queue pair.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "fast_vt.h"

static void a_region_is_registered_used_and_ended(void)
{
	uint64_t start;

	open_pair();
	start = (uintptr_t)b.buffer + OFFSET;
	for (int round = 0; round < 20; round++) {
		register_whole(VT_ALL_ACCESS);
		vt_fill(a.buffer, LENGTH, round);
		access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, start, LENGTH,
			  region->rkey);
		vt_check_fill(b.buffer + OFFSET, LENGTH, round, "written");
		memset(a.buffer, 0, LENGTH);
		access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_READ, start, LENGTH,
			  region->rkey);
		vt_check_fill(a.buffer, LENGTH, round, "read");
		access_is(IBV_WC_SUCCESS, IBV_WR_ATOMIC_FETCH_AND_ADD, start, 8,
			  region->rkey);
		end_region(region->rkey, IBV_WC_SUCCESS);
	}
	refused(IBV_WR_RDMA_WRITE, start, 8, region->rkey);
	close_pair();
}

static void it_ends_where_it_ends(void)
{
	open_pair();
	register_whole(WRITE);
	refused(IBV_WR_RDMA_WRITE, (uintptr_t)b.buffer + OFFSET + LENGTH - 7, 8,
		region->rkey);
	close_pair();
}

static void a_right_that_was_not_given_is_missing(void)
{
	open_pair();
	register_whole(WRITE);
	refused(IBV_WR_RDMA_READ, (uintptr_t)b.buffer + OFFSET, 8,
		region->rkey);
	close_pair();
}

/* As soon as it is posted: the next request of the same queue names it. */
static void the_next_request_may_use_it(void)
{
	struct ibv_qp_ex *ex;
	struct arnicadv_reg_attr attr;

	open_pair();
	ex = ibv_qp_to_qp_ex(b.qp);
	vt_fill(b.buffer + OFFSET, LENGTH, 7);
	attr = wish_for(IBV_ACCESS_LOCAL_WRITE);
	attr.iova = 0x10000;
	vt_recv(&a, 5, 0, LENGTH);
	ibv_wr_start(ex);
	ex->wr_id = 1;
	ex->wr_flags = 0;
	arnicadv_wr_reg_mr(arnicadv_qp_ex_from_ibv_qp_ex(ex), region, &attr);
	ex->wr_id = 2;
	ibv_wr_send(ex);
	ibv_wr_set_sge(ex, attr.rkey, 0x10000, LENGTH);
	ex->wr_id = 3;
	ex->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_local_inv(ex, attr.rkey);
	VT_EQUAL(ibv_wr_complete(ex), 0);
	vt_expect(b.send_cq, 3, IBV_WC_SUCCESS);
	vt_expect(a.recv_cq, 5, IBV_WC_SUCCESS);
	vt_check_fill(a.buffer, LENGTH, 7, "sent from the region");
	close_pair();
}

/* Short, middle and long messages: nothing is left to a later poll. */
static void receives_may_name_it(void)
{
	static const size_t sizes[] = { 8, 1000, LENGTH };
	struct arnicadv_reg_attr attr;
	struct ibv_recv_wr *bad;

	open_pair();
	for (size_t i = 0; i < 3; i++) {
		struct ibv_sge sge = { .addr = 0x7000, .length = LENGTH };
		struct ibv_recv_wr wr = { .wr_id = 9, .sg_list = &sge,
					  .num_sge = 1 };

		attr = wish_for(IBV_ACCESS_LOCAL_WRITE);
		attr.iova = 0x7000;
		register_as(&attr);
		sge.lkey = region->lkey;
		VT_EQUAL(ibv_post_recv(b.qp, &wr, &bad), 0);
		vt_fill(a.buffer, sizes[i], i);
		vt_send(&a, 1, 0, sizes[i]);
		vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
		end_region(region->rkey, IBV_WC_SUCCESS);
		vt_expect(b.recv_cq, 9, IBV_WC_SUCCESS);
		vt_check_fill(b.buffer + OFFSET, sizes[i], i, "received");
	}
	close_pair();
}

static void the_peer_takes_it_back(void)
{
	struct ibv_send_wr wr = {
		.wr_id = 3,
		.opcode = IBV_WR_SEND_WITH_INV,
		.send_flags = IBV_SEND_SIGNALED,
	};
	struct ibv_wc wc;

	open_pair();
	for (int round = 0; round < 5; round++) {
		register_whole(WRITE);
		access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE,
			  (uintptr_t)b.buffer + OFFSET, 64, region->rkey);
		vt_recv(&b, 2, 0, 64);
		wr.invalidate_rkey = region->rkey;
		VT_EQUAL(vt_post_send(&a, &wr), 0);
		vt_expect(a.send_cq, 3, IBV_WC_SUCCESS);
		wc = vt_poll(b.recv_cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.wc_flags & IBV_WC_WITH_INV, IBV_WC_WITH_INV);
		VT_EQUAL(wc.invalidated_rkey, region->rkey);
	}
	refused(IBV_WR_RDMA_WRITE, (uintptr_t)b.buffer + OFFSET, 8,
		region->rkey);
	close_pair();
}

/* Dereg while it is registered, and while it is not. */
static void deregistration_ends_it(void)
{
	uint32_t rkey;

	open_pair();
	register_whole(WRITE);
	rkey = region->rkey;
	VT_EQUAL(ibv_dereg_mr(region), 0);
	region = NULL;
	refused(IBV_WR_RDMA_WRITE, (uintptr_t)b.buffer + OFFSET, 8, rkey);
	close_pair();
}

/* Many places under one key: the peer writes and reads across them, SENDs go
 * out of it, and receives into it. */
#define PLACES 64u
#define PLACE 700u /* bytes, and from place to place three times as many */

static uint8_t *place(uint32_t number)
{
	return b.buffer + OFFSET + (size_t)(PLACES - 1 - number) * 3 * PLACE;
}

static void check_places(uint64_t seed)
{
	for (uint32_t i = 0; i < PLACES; i++)
		for (uint32_t j = 0; j < PLACE; j++)
			VT_EQUAL(place(i)[j],
				 vt_byte(seed, (size_t)i * PLACE + j));
}

/* A key of it could be used for whatever comes there next. */
static void shareable_memory_in_a_list_is_not_freed(void)
{
	struct arnicadv_range ranges[2];
	struct arnicadv_reg_attr attr;
	uint8_t *memory;

	open_pair();
	memory = arnicadv_alloc_shareable(b.context, 65536);
	VT_CHECK(memory);
	ranges[0] = (struct arnicadv_range){ (uintptr_t)memory, 4096 };
	ranges[1] = (struct arnicadv_range){ (uintptr_t)memory + 32768, 4096 };
	attr = wish_for(VT_ALL_ACCESS);
	attr.iova = 0;
	attr.ranges = ranges;
	attr.num_entries = 2;
	register_as(&attr);
	VT_EQUAL(arnicadv_free_shareable(b.context, memory), EBUSY);
	vt_fill(a.buffer, LENGTH, 6);
	access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, 0, LENGTH, region->rkey);
	vt_check_fill(memory, 4096, 6, "the first range");
	VT_EQUAL(ibv_dereg_mr(region), 0);
	region = NULL;
	VT_EQUAL(arnicadv_free_shareable(b.context, memory), 0);
	close_pair();
}

static void a_list_of_ranges_is_one_region(void)
{
	static struct arnicadv_range ranges[PLACES];
	struct ibv_sge sge = { .addr = 0, .length = PLACES * PLACE };
	struct ibv_recv_wr recv = { .wr_id = 4, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;
	struct arnicadv_reg_attr attr;

	open_pair();
	memset(b.buffer, GUARD, OFFSET + PLACES * 3 * PLACE);
	for (uint32_t i = 0; i < PLACES; i++)
		ranges[i] = (struct arnicadv_range){ (uintptr_t)place(i),
						     PLACE };
	attr = wish_for(VT_ALL_ACCESS);
	attr.iova = 0;
	attr.length = PLACES * PLACE;
	attr.ranges = ranges;
	attr.num_entries = PLACES;
	register_as(&attr);
	vt_fill(a.buffer, PLACES * PLACE, 1);
	access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, 0, PLACES * PLACE,
		  region->rkey);
	check_places(1);
	for (uint32_t j = PLACE; j < 3 * PLACE; j++)
		VT_EQUAL(place(0)[j], GUARD);
	memset(a.buffer, 0, PLACES * PLACE);
	access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_READ, 0, PLACES * PLACE,
		  region->rkey);
	vt_check_fill(a.buffer, PLACES * PLACE, 1, "read");
	sge.lkey = region->lkey;
	VT_EQUAL(ibv_post_recv(b.qp, &recv, &bad), 0);
	vt_fill(a.buffer, PLACES * PLACE, 2);
	vt_send(&a, 5, 0, PLACES * PLACE);
	vt_expect(a.send_cq, 5, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 4, IBV_WC_SUCCESS);
	check_places(2);
	end_region(region->rkey, IBV_WC_SUCCESS);
	attr.rkey = ibv_inc_rkey(attr.rkey);
	register_as(&attr);
	refused(IBV_WR_RDMA_WRITE, PLACES * PLACE - 4, 8, region->rkey);
	close_pair();
}

/* The region begins within the first page, where its address does. */
static void a_list_of_pages_is_one_region(void)
{
	uint64_t pages[3];
	struct arnicadv_reg_attr attr;
	char *memory;

	open_pair();
	memory = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VT_CHECK(memory != MAP_FAILED);
	pages[0] = (uintptr_t)memory + 4 * 4096;
	pages[1] = (uintptr_t)memory;
	pages[2] = (uintptr_t)memory + 2 * 4096;
	attr = wish_for(WRITE);
	attr.iova = 0x12100;
	attr.length = 4096 - 0x100 + 4096 + 50;
	attr.pages = pages;
	attr.num_entries = 3;
	attr.page_size = 4096;
	register_as(&attr);
	vt_fill(a.buffer, attr.length, 3);
	access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, attr.iova, attr.length,
		  region->rkey);
	VT_EQUAL(memcmp(memory + 4 * 4096 + 0x100, a.buffer, 4096 - 0x100), 0);
	VT_EQUAL(memcmp(memory, a.buffer + 4096 - 0x100, 4096), 0);
	VT_EQUAL(memcmp(memory + 2 * 4096, a.buffer + 8192 - 0x100, 50), 0);
	VT_EQUAL(memory[2 * 4096 + 50], 0);
	end_region(region->rkey, IBV_WC_SUCCESS);
	close_pair();
}

/* A registration that is refused, for this reason. */
static void is_refused(const struct arnicadv_reg_attr *attr,
		       enum arnicadv_reg_refusal why)
{
	struct ibv_wc wc;

	VT_EQUAL(post_reg(13, attr), 0);
	wc = vt_poll(b.send_cq);
	VT_EQUAL(wc.wr_id, 13);
	VT_STATUS(&wc, IBV_WC_MW_BIND_ERR);
	VT_EQUAL(wc.vendor_err, why);
}

static void goes_on(void)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTS };

	VT_EQUAL(vt_state(b.qp), IBV_QPS_SQD);
	VT_EQUAL(ibv_modify_qp(b.qp, &attr, IBV_QP_STATE), 0);
	VT_EQUAL(vt_state(b.qp), IBV_QPS_RTS);
}

static void what_is_wrong_is_refused(void)
{
	struct arnicadv_range two[2];
	struct arnicadv_reg_attr attr;
	long page = sysconf(_SC_PAGESIZE);
	struct arnicadv_mr_init_attr init = { .max_ranges = 1 };
	struct ibv_pd *other_pd;
	struct ibv_mr *mine;
	char *hole;

	open_pair_of(IBV_QPT_RC, ARNICADV_REG_ERROR_SQD);
	hole = mmap(NULL, 3 * (size_t)page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VT_CHECK(hole != MAP_FAILED);
	VT_EQUAL(munmap(hole + page, (size_t)page), 0);
	VT_EQUAL(mprotect(hole + 2 * page, (size_t)page, PROT_READ), 0);

	attr = wish_for(WRITE);
	whole.addr = (uintptr_t)hole;
	whole.length = attr.length = 2 * (size_t)page;
	is_refused(&attr, ARNICADV_REG_REFUSED_MEMORY);
	goes_on();
	whole.addr = (uintptr_t)hole + 2 * (size_t)page;
	whole.length = attr.length = (size_t)page;
	is_refused(&attr, ARNICADV_REG_REFUSED_MEMORY);
	goes_on();
	attr.access = IBV_ACCESS_REMOTE_READ; /* that it may be */
	register_as(&attr);
	attr = wish_for(WRITE);
	is_refused(&attr, ARNICADV_REG_REFUSED_IN_USE);
	goes_on();
	end_region(region->rkey, IBV_WC_SUCCESS);

	two[0] = (struct arnicadv_range){ (uintptr_t)b.buffer, 4096 };
	two[1] = (struct arnicadv_range){ (uintptr_t)b.buffer + 4096, 4095 };
	attr.ranges = two;
	attr.num_entries = 2;
	attr.length = 8192;
	is_refused(&attr, ARNICADV_REG_REFUSED_RANGES);
	goes_on();
	if (!VT_SANITIZED) {
		attr.ranges = (const void *)(hole + page);
		is_refused(&attr, ARNICADV_REG_REFUSED_MEMORY);
		goes_on();
	}
	two[1].addr += 4096;
	two[1].length = 4096;
	attr.ranges = two;
	attr.access |= (unsigned int)ARNICADV_ACCESS_ONE_TOUCH;
	is_refused(&attr, ARNICADV_REG_REFUSED_ACCESS);
	goes_on();

	/* Of another domain than the queue pair's. */
	other_pd = ibv_alloc_pd(b.context);
	VT_CHECK(other_pd);
	mine = region;
	region = arnicadv_alloc_mr(other_pd, &init);
	VT_CHECK(region);
	attr = wish_for(WRITE);
	is_refused(&attr, ARNICADV_REG_REFUSED_KEY);
	goes_on();
	VT_EQUAL(ibv_dereg_mr(region), 0);
	VT_EQUAL(ibv_dealloc_pd(other_pd), 0);
	region = mine;

	register_whole(WRITE);
	access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE,
		  (uintptr_t)b.buffer + OFFSET, 64, region->rkey);
	VT_EQUAL(munmap(hole, (size_t)page), 0);
	close_pair();
}

static void what_makes_no_sense_is_not_posted(void)
{
	struct arnicadv_reg_attr attr;

	open_pair();
	attr = wish_for(IBV_ACCESS_REMOTE_WRITE);
	VT_EQUAL(post_reg(1, &attr), EINVAL);
	attr = wish_for(WRITE | IBV_ACCESS_MW_BIND);
	VT_EQUAL(post_reg(1, &attr), EINVAL);
	attr = wish_for(WRITE);
	attr.rkey += 0x100;
	VT_EQUAL(post_reg(1, &attr), EINVAL);
	attr = wish_for(WRITE);
	attr.length = LENGTH - 1;
	VT_EQUAL(post_reg(1, &attr), EINVAL);
	attr = wish_for(WRITE);
	attr.num_entries = 65;
	VT_EQUAL(post_reg(1, &attr), EINVAL);
	attr = wish_for(WRITE);
	attr.page_size = 5000;
	VT_EQUAL(post_reg(1, &attr), EINVAL);
	attr = wish_for(WRITE);
	attr.comp_mask = 1;
	VT_EQUAL(post_reg(1, &attr), EINVAL);
	close_pair();
}

/* Option 2: the connection ends, and so does what was posted. */
static void by_default_an_error_ends_the_connection(void)
{
	struct arnicadv_reg_attr attr;

	open_pair();
	vt_recv(&b, 21, 0, 64);
	register_whole(WRITE);
	attr = wish_for(WRITE);
	VT_EQUAL(post_reg(13, &attr), 0);
	vt_expect(b.send_cq, 13, IBV_WC_MW_BIND_ERR);
	vt_wait_state(b.qp, IBV_QPS_ERR);
	vt_expect(b.recv_cq, 21, IBV_WC_WR_FLUSH_ERR);
	vt_send(&b, 14, 0, 8);
	vt_expect(b.send_cq, 14, IBV_WC_WR_FLUSH_ERR);
	VT_CHECK(!vt_readable(b.context->async_fd, 20));
	close_pair();
}

/* Option 1: what stands before it is done, what stands behind it is flushed,
 * what the peer asks for goes on, and after RTS everything does. */
static void or_it_stops_the_send_queue_alone(void)
{
	struct arnicadv_reg_attr attr;
	struct ibv_qp_ex *ex;

	open_pair_of(IBV_QPT_RC, ARNICADV_REG_ERROR_SQD);
	ex = ibv_qp_to_qp_ex(b.qp);
	register_whole(WRITE);
	attr = wish_for(WRITE);
	vt_recv(&a, 30, 0, LENGTH);
	vt_fill(b.buffer, LENGTH, 4);
	ibv_wr_start(ex);
	ex->wr_id = 1;
	ex->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_send(ex);
	ibv_wr_set_sge(ex, b.mr->lkey, (uintptr_t)b.buffer, LENGTH);
	ex->wr_id = 2;
	arnicadv_wr_reg_mr(arnicadv_qp_ex_from_ibv_qp_ex(ex), region, &attr);
	ex->wr_id = 3;
	ibv_wr_send(ex);
	ibv_wr_set_sge(ex, b.mr->lkey, (uintptr_t)b.buffer, 8);
	VT_EQUAL(ibv_wr_complete(ex), 0);
	vt_expect(b.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(b.send_cq, 2, IBV_WC_MW_BIND_ERR);
	vt_expect(b.send_cq, 3, IBV_WC_WR_FLUSH_ERR);
	vt_expect(a.recv_cq, 30, IBV_WC_SUCCESS);
	vt_check_fill(a.buffer, LENGTH, 4, "sent before");
	VT_EQUAL(vt_state(b.qp), IBV_QPS_SQD);
	VT_CHECK(!vt_readable(b.context->async_fd, 20));

	/* The receive side does not notice. */
	vt_recv(&b, 31, LENGTH, 64);
	vt_send(&a, 4, 0, 64);
	vt_expect(a.send_cq, 4, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 31, IBV_WC_SUCCESS);
	access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE,
		  (uintptr_t)b.buffer + OFFSET, 64, region->rkey);

	vt_send(&b, 5, 0, 8);
	vt_expect(b.send_cq, 5, IBV_WC_WR_FLUSH_ERR);
	goes_on();
	end_region(region->rkey, IBV_WC_SUCCESS);
	register_as(&attr);
	vt_recv(&a, 32, 0, 64);
	vt_send(&b, 6, 0, 8);
	vt_expect(b.send_cq, 6, IBV_WC_SUCCESS);
	vt_expect(a.recv_cq, 32, IBV_WC_SUCCESS);
	close_pair();
}

static void a_queue_pair_must_be_made_for_it(void)
{
	struct arnicadv_mr_init_attr init = { .max_ranges = 1 };
	struct vt_wish wish = vt_defaults();

	wish.extended = true;
	vt_end_open(&b, &wish);
	VT_CHECK(!arnicadv_qp_ex_from_ibv_qp_ex(ibv_qp_to_qp_ex(b.qp)));
	VT_CHECK(arnicadv_is_supported(b.context->device));
	region = arnicadv_alloc_mr(b.pd, &init);
	VT_CHECK(region);
	VT_EQUAL(ibv_dereg_mr(region), 0);
	init.max_ranges = 0;
	VT_CHECK(!arnicadv_alloc_mr(b.pd, &init));
	VT_EQUAL(errno, EINVAL);
	vt_end_close(&b);
}

static const struct vt_case cases[] = {
	VT_CASE(a_region_is_registered_used_and_ended),
	VT_CASE(it_ends_where_it_ends),
	VT_CASE(a_right_that_was_not_given_is_missing),
	VT_CASE(the_next_request_may_use_it),
	VT_CASE(receives_may_name_it),
	VT_CASE(the_peer_takes_it_back),
	VT_CASE(deregistration_ends_it),
	VT_CASE(a_list_of_ranges_is_one_region),
	VT_CASE(a_list_of_pages_is_one_region),
	VT_CASE(shareable_memory_in_a_list_is_not_freed),
	VT_CASE(what_is_wrong_is_refused),
	VT_CASE(what_makes_no_sense_is_not_posted),
	VT_CASE(by_default_an_error_ends_the_connection),
	VT_CASE(or_it_stops_the_send_queue_alone),
	VT_CASE(a_queue_pair_must_be_made_for_it),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
