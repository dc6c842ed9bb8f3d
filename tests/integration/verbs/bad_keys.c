/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Keys, bounds, rights and protection domains: what each mistake does to the
 * requester and to the responder, as the InfiniBand specification (9.9.2,
 * 10.10, 11.6.2) has it and adapters report it.
 *
 * Local mistakes: LOC_PROT_ERR at the requester, whose QP goes to ERR and
 * flushes what follows; the responder never learns of it. Remote mistakes:
 * REM_ACCESS_ERR (or REM_INV_REQ_ERR) at the requester; the responder's QP goes
 * to ERR too, flushes its receives and raises IBV_EVENT_QP_ACCESS_ERR (or
 * IBV_EVENT_QP_REQ_ERR). The victim's memory is never touched.
 */
#include <sys/mman.h>

#include "vt.h"

#define GUARD 0xa5

static struct vt_end a, b;
static struct ibv_pd *other_pd;
static struct ibv_mr *extra_mr; /* of a case that needs a second region */

static void close_pair(void)
{
	if (extra_mr)
		VT_EQUAL(ibv_dereg_mr(extra_mr), 0);
	if (other_pd)
		VT_EQUAL(ibv_dealloc_pd(other_pd), 0);
	vt_pair_close(&a, &b);
}

static struct ibv_mr *register_extra(struct ibv_pd *pd, void *memory,
				     int rights)
{
	extra_mr = ibv_reg_mr(pd, memory, 4096, rights);
	VT_CHECK(extra_mr);
	return extra_mr;
}

static struct ibv_mr *register_in_other_pd(struct vt_end *end)
{
	other_pd = ibv_alloc_pd(end->context);
	VT_CHECK(other_pd);
	return register_extra(other_pd, end->buffer, VT_ALL_ACCESS);
}

/* The keys of a region that was deregistered. */
static uint32_t stale_key(struct vt_end *end)
{
	uint32_t key = register_extra(end->pd, end->buffer,
				      VT_ALL_ACCESS)->lkey;

	VT_EQUAL(ibv_dereg_mr(extra_mr), 0);
	extra_mr = NULL;
	return key;
}

static void open_pair(bool one_context)
{
	struct vt_wish wish = vt_defaults();

	vt_pair_open(&a, &b, &wish, one_context);
	memset(b.buffer, GUARD, 4096);
}

static void check_untouched(void)
{
	for (int i = 0; i < 4096; i++)
		VT_EQUAL(b.buffer[i], GUARD);
}

/* A local error: later requests flush, the peer keeps its state. */
static void finish_local_error(void)
{
	vt_send(&a, 50, 0, 8);
	vt_expect(a.send_cq, 50, IBV_WC_WR_FLUSH_ERR);
	VT_EQUAL(vt_state(a.qp), IBV_QPS_ERR);
	VT_EQUAL(vt_state(b.qp), IBV_QPS_RTS);
	vt_poll_nothing(b.recv_cq, 10);
	check_untouched();
	close_pair();
}

static void local_error(enum ibv_wr_opcode opcode, uint64_t addr,
			uint32_t length, uint32_t lkey)
{
	struct ibv_sge sge = { .addr = addr, .length = length, .lkey = lkey };
	struct ibv_send_wr wr = vt_send_wr(1, opcode, &sge);

	if (opcode == IBV_WR_SEND) {
		vt_recv(&b, 100, 8192, 4096);
	} else {
		wr.wr.rdma.remote_addr = (uintptr_t)b.buffer;
		wr.wr.rdma.rkey = b.mr->rkey;
	}
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 1, IBV_WC_LOC_PROT_ERR);
	finish_local_error();
}

static void send_with_wrong_lkey(void)
{
	open_pair(true);
	local_error(IBV_WR_SEND, (uintptr_t)a.buffer, 64,
		    a.mr->lkey ^ 0x00abc000);
}

static void send_with_wrong_key_part_of_lkey(void)
{
	open_pair(true);
	local_error(IBV_WR_SEND, (uintptr_t)a.buffer, 64, a.mr->lkey ^ 1);
}

static void write_with_wrong_lkey(void)
{
	open_pair(false);
	local_error(IBV_WR_RDMA_WRITE, (uintptr_t)a.buffer, 64,
		    a.mr->lkey + 0x100);
}

static void read_with_wrong_lkey(void)
{
	open_pair(true);
	local_error(IBV_WR_RDMA_READ, (uintptr_t)a.buffer, 64, 0);
}

static void send_out_of_local_bounds(void)
{
	open_pair(true);
	local_error(IBV_WR_SEND,
		    (uintptr_t)a.buffer + a.wish.buffer_bytes - 63, 64,
		    a.mr->lkey);
}

static void send_before_local_bounds(void)
{
	open_pair(false);
	local_error(IBV_WR_SEND, (uintptr_t)a.buffer - 1, 64, a.mr->lkey);
}

static void send_whose_address_wraps_around(void)
{
	open_pair(true);
	local_error(IBV_WR_SEND, UINT64_MAX - 15, 64, a.mr->lkey);
}

static void read_into_region_without_local_write(void)
{
	open_pair(true);
	register_extra(a.pd, a.buffer, 0);
	local_error(IBV_WR_RDMA_READ, (uintptr_t)a.buffer, 64, extra_mr->lkey);
}

static void send_with_lkey_of_other_pd(void)
{
	open_pair(true);
	local_error(IBV_WR_SEND, (uintptr_t)a.buffer, 64,
		    register_in_other_pd(&a)->lkey);
}

static void send_with_lkey_after_deregistration(void)
{
	open_pair(true);
	local_error(IBV_WR_SEND, (uintptr_t)a.buffer, 64, stale_key(&a));
}

/* Inline data is copied when it is posted: neither key nor bounds count. */
static void inline_data_needs_no_key(void)
{
	uint8_t data[16];
	struct ibv_sge sge = { .addr = (uintptr_t)data, .length = 16 };
	struct ibv_send_wr wr = vt_send_wr(1, IBV_WR_SEND, &sge);

	open_pair(true);
	vt_fill(data, 16, 5);
	wr.send_flags |= IBV_SEND_INLINE;
	vt_recv(&b, 2, 0, 64);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	memset(data, 0, 16);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer, 16, 5, "inline data");
	close_pair();
}

/* A remote error: both QPs are in ERR afterwards, and flush. */
static void finish_remote_error(void)
{
	vt_send(&a, 51, 0, 8);
	vt_expect(a.send_cq, 51, IBV_WC_WR_FLUSH_ERR);
	VT_EQUAL(vt_state(a.qp), IBV_QPS_ERR);
	vt_expect(b.recv_cq, 100, IBV_WC_WR_FLUSH_ERR);
	VT_EQUAL(vt_state(b.qp), IBV_QPS_ERR);
	check_untouched();
	close_pair();
}

static void remote_error(enum ibv_wr_opcode opcode, size_t length,
			 uint64_t remote, uint32_t rkey)
{
	vt_recv(&b, 100, 8192, 4096);
	vt_rdma(&a, 1, opcode, 0, length, remote, rkey);
	vt_expect(a.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	vt_event(b.context, IBV_EVENT_QP_ACCESS_ERR);
	finish_remote_error();
}

static void write_with_wrong_rkey(void)
{
	open_pair(false);
	remote_error(IBV_WR_RDMA_WRITE, 64, (uintptr_t)b.buffer,
		     b.mr->rkey ^ 0x00abc000);
}

static void write_with_wrong_key_part_of_rkey(void)
{
	open_pair(true);
	remote_error(IBV_WR_RDMA_WRITE, 64, (uintptr_t)b.buffer,
		     b.mr->rkey ^ 0x80);
}

static void long_write_with_wrong_rkey(void)
{
	open_pair(false);
	remote_error(IBV_WR_RDMA_WRITE, 300000, (uintptr_t)b.buffer,
		     b.mr->rkey ^ 0x00abc000);
}

static void write_imm_with_wrong_rkey(void)
{
	open_pair(false);
	remote_error(IBV_WR_RDMA_WRITE_WITH_IMM, 64, (uintptr_t)b.buffer,
		     b.mr->rkey ^ 0x00abc000);
}

static void read_with_wrong_rkey(void)
{
	open_pair(false);
	remote_error(IBV_WR_RDMA_READ, 64, (uintptr_t)b.buffer,
		     b.mr->rkey ^ 0x00abc000);
}

static void atomic_with_wrong_rkey(void)
{
	open_pair(false);
	remote_error(IBV_WR_ATOMIC_FETCH_AND_ADD, 8, (uintptr_t)b.buffer,
		     b.mr->rkey ^ 0x00abc000);
}

static void write_out_of_remote_bounds(void)
{
	open_pair(true);
	remote_error(IBV_WR_RDMA_WRITE, 64,
		     (uintptr_t)b.buffer + b.wish.buffer_bytes - 63,
		     b.mr->rkey);
}

static void read_before_remote_bounds(void)
{
	open_pair(false);
	remote_error(IBV_WR_RDMA_READ, 64, (uintptr_t)b.buffer - 1,
		     b.mr->rkey);
}

static void write_whose_remote_address_wraps_around(void)
{
	open_pair(true);
	remote_error(IBV_WR_RDMA_WRITE, 64, UINT64_MAX - 7, b.mr->rkey);
}

static void write_after_deregistration(void)
{
	open_pair(false);
	remote_error(IBV_WR_RDMA_WRITE, 64, (uintptr_t)b.buffer,
		     stale_key(&b));
}

static void write_with_rkey_of_other_pd(void)
{
	open_pair(true);
	remote_error(IBV_WR_RDMA_WRITE, 64, (uintptr_t)b.buffer,
		     register_in_other_pd(&b)->rkey);
}

static void missing_region_right(enum ibv_wr_opcode opcode, size_t length,
				 int rights)
{
	open_pair(true);
	register_extra(b.pd, b.buffer, rights);
	remote_error(opcode, length, (uintptr_t)b.buffer, extra_mr->rkey);
}

static void write_to_region_without_the_right(void)
{
	missing_region_right(IBV_WR_RDMA_WRITE, 64,
			     IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ |
				     IBV_ACCESS_REMOTE_ATOMIC);
}

static void read_of_region_without_the_right(void)
{
	missing_region_right(IBV_WR_RDMA_READ, 64,
			     IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
				     IBV_ACCESS_REMOTE_ATOMIC);
}

static void atomic_on_region_without_the_right(void)
{
	missing_region_right(IBV_WR_ATOMIC_CMP_AND_SWP, 8,
			     IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
				     IBV_ACCESS_REMOTE_READ);
}

/* The specification answers a right that the QP lacks with "invalid request";
 * adapters report an access error as well. */
static void missing_qp_right(enum ibv_wr_opcode opcode, size_t length,
			     int rights)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_wc wc;

	wish.qp_access = rights;
	vt_pair_open(&a, &b, &wish, true);
	memset(b.buffer, GUARD, 4096);
	vt_recv(&b, 100, 8192, 4096);
	vt_rdma(&a, 1, opcode, 0, length, (uintptr_t)b.buffer, b.mr->rkey);
	wc = vt_poll(a.send_cq);
	VT_EQUAL(wc.wr_id, 1);
	VT_ONE_OF(wc.status, IBV_WC_REM_INV_REQ_ERR, IBV_WC_REM_ACCESS_ERR);
	finish_remote_error();
}

static void write_to_qp_without_the_right(void)
{
	missing_qp_right(IBV_WR_RDMA_WRITE, 64,
			 IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC);
}

static void read_from_qp_without_the_right(void)
{
	missing_qp_right(IBV_WR_RDMA_READ, 64,
			 IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC);
}

static void atomic_on_qp_without_the_right(void)
{
	missing_qp_right(IBV_WR_ATOMIC_FETCH_AND_ADD, 8,
			 IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ);
}

static void misaligned_atomic(void)
{
	open_pair(true);
	vt_recv(&b, 100, 8192, 4096);
	vt_rdma(&a, 1, IBV_WR_ATOMIC_FETCH_AND_ADD, 0, 8,
		(uintptr_t)b.buffer + 4, b.mr->rkey);
	vt_expect(a.send_cq, 1, IBV_WC_REM_INV_REQ_ERR);
	finish_remote_error();
}

/* Mistakes in the responder's receive: REM_OP_ERR at the requester. */
static void bad_receive(uint64_t addr, uint32_t length, uint32_t lkey,
			enum ibv_wc_status receiver,
			enum ibv_wc_status requester)
{
	struct ibv_sge sge = { .addr = addr, .length = length, .lkey = lkey };
	struct ibv_recv_wr wr = { .wr_id = 99, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	VT_EQUAL(ibv_post_recv(b.qp, &wr, &bad), 0);
	vt_recv(&b, 100, 8192, 4096);
	vt_send(&a, 1, 0, 64);
	vt_expect(a.send_cq, 1, requester);
	vt_expect(b.recv_cq, 99, receiver);
	finish_remote_error();
}

static void receive_with_wrong_lkey(void)
{
	open_pair(false);
	bad_receive((uintptr_t)b.buffer, 64, b.mr->lkey ^ 0x00abc000,
		    IBV_WC_LOC_PROT_ERR, IBV_WC_REM_OP_ERR);
}

static void receive_out_of_bounds(void)
{
	open_pair(false);
	bad_receive((uintptr_t)b.buffer + b.wish.buffer_bytes - 8, 64,
		    b.mr->lkey, IBV_WC_LOC_PROT_ERR, IBV_WC_REM_OP_ERR);
}

static void receive_into_region_without_local_write(void)
{
	open_pair(true);
	register_extra(b.pd, b.buffer, 0);
	bad_receive((uintptr_t)b.buffer, 64, extra_mr->lkey,
		    IBV_WC_LOC_PROT_ERR, IBV_WC_REM_OP_ERR);
}

static void receive_into_region_of_other_pd(void)
{
	open_pair(true);
	bad_receive((uintptr_t)b.buffer, 64, register_in_other_pd(&b)->lkey,
		    IBV_WC_LOC_PROT_ERR, IBV_WC_REM_OP_ERR);
}

static void receive_that_is_too_short(void)
{
	open_pair(false);
	bad_receive((uintptr_t)b.buffer + 8192, 63, b.mr->lkey,
		    IBV_WC_LOC_LEN_ERR, IBV_WC_REM_INV_REQ_ERR);
}

/* Zero bytes touch nothing, so the keys do not count (C9-88, o10-37). */
static void zero_length_operations_need_no_rkey(void)
{
	struct ibv_send_wr wr;

	open_pair(true);
	wr = vt_send_wr(1, IBV_WR_RDMA_WRITE, NULL);
	wr.wr.rdma.remote_addr = 0;
	wr.wr.rdma.rkey = 0;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	wr.opcode = IBV_WR_RDMA_READ;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	check_untouched();
	close_pair();
}

static void registration_is_refused(uintptr_t addr, size_t length, int access,
				    int error)
{
	struct ibv_mr *mr;

	open_pair(true);
	errno = 0;
	mr = ibv_reg_mr(a.pd, (void *)addr, length, access);
	VT_CHECK(!mr);
	VT_EQUAL(errno, error);
	close_pair();
}

static void remote_write_without_local_write_is_refused(void)
{
	static uint8_t memory[4096];

	registration_is_refused((uintptr_t)memory, sizeof(memory),
				IBV_ACCESS_REMOTE_WRITE, EINVAL);
}

static void remote_atomic_without_local_write_is_refused(void)
{
	static uint8_t memory[4096];

	registration_is_refused((uintptr_t)memory, sizeof(memory),
				IBV_ACCESS_REMOTE_ATOMIC, EINVAL);
}

/* ibv_reg_mr(3) names no error for memory that is not there; adapters answer
 * EFAULT, or ENOMEM where the kernel cannot pin it. */
static void registration_of_unmapped_memory_is_refused(void)
{
	void *hole;
	struct ibv_mr *mr;

	open_pair(true);
	hole = mmap(NULL, 1 << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	VT_CHECK(hole != MAP_FAILED);
	munmap(hole, 1 << 16);
	errno = 0;
	mr = ibv_reg_mr(a.pd, hole, 1 << 16, IBV_ACCESS_LOCAL_WRITE);
	VT_CHECK(!mr);
	VT_ONE_OF(errno, EFAULT, ENOMEM);
	close_pair();
}

static const struct vt_case cases[] = {
	VT_CASE(send_with_wrong_lkey),
	VT_CASE(send_with_wrong_key_part_of_lkey),
	VT_CASE(write_with_wrong_lkey),
	VT_CASE(read_with_wrong_lkey),
	VT_CASE(send_out_of_local_bounds),
	VT_CASE(send_before_local_bounds),
	VT_CASE(send_whose_address_wraps_around),
	VT_CASE(read_into_region_without_local_write),
	VT_CASE(send_with_lkey_of_other_pd),
	VT_CASE(send_with_lkey_after_deregistration),
	VT_CASE(inline_data_needs_no_key),
	VT_CASE(write_with_wrong_rkey),
	VT_CASE(write_with_wrong_key_part_of_rkey),
	VT_CASE(long_write_with_wrong_rkey),
	VT_CASE(write_imm_with_wrong_rkey),
	VT_CASE(read_with_wrong_rkey),
	VT_CASE(atomic_with_wrong_rkey),
	VT_CASE(write_out_of_remote_bounds),
	VT_CASE(read_before_remote_bounds),
	VT_CASE(write_whose_remote_address_wraps_around),
	VT_CASE(write_after_deregistration),
	VT_CASE(write_with_rkey_of_other_pd),
	VT_CASE(write_to_region_without_the_right),
	VT_CASE(read_of_region_without_the_right),
	VT_CASE(atomic_on_region_without_the_right),
	VT_CASE(write_to_qp_without_the_right),
	VT_CASE(read_from_qp_without_the_right),
	VT_CASE(atomic_on_qp_without_the_right),
	VT_CASE(misaligned_atomic),
	VT_CASE(receive_with_wrong_lkey),
	VT_CASE(receive_out_of_bounds),
	VT_CASE(receive_into_region_without_local_write),
	VT_CASE(receive_into_region_of_other_pd),
	VT_CASE(receive_that_is_too_short),
	VT_CASE(zero_length_operations_need_no_rkey),
	VT_CASE(remote_write_without_local_write_is_refused),
	VT_CASE(remote_atomic_without_local_write_is_refused),
	VT_CASE(registration_of_unmapped_memory_is_refused),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
