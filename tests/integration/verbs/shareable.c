/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory that is shareable from the start: used as any other by the program, and
 * reached by peers without the owner's help, where the kernel copies between
 * processes and where it does not.
 */
#include <infiniband/arnicadv.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include "vt.h"

#define BYTES (256u << 10)

struct target {
	uint64_t address;
	uint32_t rkey;
	pid_t owner;
};

static void it_is_zero_and_whole_pages(void)
{
	struct ibv_context *context = vt_open();
	uint8_t *one = arnicadv_alloc_shareable(context, 1);
	uint8_t *other = arnicadv_alloc_shareable(context, BYTES + 1);

	VT_CHECK(one && other);
	VT_EQUAL((uintptr_t)one % 4096, 0);
	VT_EQUAL((uintptr_t)other % 4096, 0);
	for (size_t i = 0; i <= BYTES; i++)
		VT_EQUAL(other[i], 0);
	memset(one, 1, 4096);
	memset(other, 2, BYTES + 4096);
	VT_EQUAL(one[4095], 1);
	VT_EQUAL(arnicadv_free_shareable(context, other), 0);
	VT_EQUAL(arnicadv_free_shareable(context, one), 0);
	/* What comes next finds nothing of it. */
	other = arnicadv_alloc_shareable(context, BYTES);
	VT_CHECK(other);
	for (size_t i = 0; i < BYTES; i++)
		VT_EQUAL(other[i], 0);
	VT_EQUAL(arnicadv_free_shareable(context, other), 0);
	VT_EQUAL(ibv_close_device(context), 0);
}

static void wrong_requests_are_refused(void)
{
	struct ibv_context *context = vt_open();
	uint8_t *memory = arnicadv_alloc_shareable(context, BYTES);
	struct ibv_pd *pd = ibv_alloc_pd(context);
	struct ibv_mr *mr;

	VT_CHECK(memory && pd);
	VT_CHECK(!arnicadv_alloc_shareable(context, 0));
	VT_EQUAL(errno, EINVAL);
	VT_CHECK(!arnicadv_alloc_shareable(context, (size_t)1 << 50));
	VT_EQUAL(errno, ENOMEM);
	VT_CHECK(!arnicadv_alloc_shareable(context, SIZE_MAX));
	VT_ONE_OF(errno, EINVAL, ENOMEM);
	VT_EQUAL(arnicadv_free_shareable(context, memory + 4096), EINVAL);
	VT_EQUAL(arnicadv_free_shareable(context, NULL), EINVAL);
	mr = ibv_reg_mr(pd, memory + 8192, 100, VT_ALL_ACCESS);
	VT_CHECK(mr);
	VT_EQUAL(arnicadv_free_shareable(context, memory), EBUSY);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	VT_EQUAL(arnicadv_free_shareable(context, memory), 0);
	VT_EQUAL(arnicadv_free_shareable(context, memory), EINVAL);
	VT_EQUAL(ibv_dealloc_pd(pd), 0);
	VT_EQUAL(ibv_close_device(context), 0);
}

static void it_ends_with_its_context(void)
{
	struct ibv_context *context = vt_open(), *next;

	VT_CHECK(arnicadv_alloc_shareable(context, BYTES));
	VT_CHECK(arnicadv_alloc_shareable(context, BYTES));
	VT_EQUAL(ibv_close_device(context), 0);
	next = vt_open();
	VT_CHECK(arnicadv_alloc_shareable(next, 4u * BYTES));
	VT_EQUAL(ibv_close_device(next), 0);
}

/* The owner is stopped meanwhile: nothing of it can help. */
static void use_it(int fd, void *argument)
{
	struct vt_wish wish = vt_defaults();
	struct target target;
	struct vt_end end;

	(void)argument;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	vt_hear(fd, &target, sizeof(target));
	VT_CHECK(!kill(target.owner, SIGSTOP));
	vt_rdma(&end, 1, IBV_WR_RDMA_READ, 0, BYTES, target.address,
		target.rkey);
	vt_expect(end.send_cq, 1, IBV_WC_SUCCESS);
	vt_check_fill(end.buffer, BYTES, 5, "what was read");
	vt_fill(end.buffer, BYTES, 6);
	vt_rdma(&end, 2, IBV_WR_RDMA_WRITE, 0, BYTES, target.address,
		target.rkey);
	vt_expect(end.send_cq, 2, IBV_WC_SUCCESS);
	VT_CHECK(!kill(target.owner, SIGCONT));
	vt_sync(fd);
	vt_end_close(&end);
}

static void peers_reach_it_without_the_owner(void)
{
	struct vt_peer peer = vt_fork(use_it, NULL);
	struct vt_wish wish = vt_defaults();
	struct target target;
	struct vt_end end;
	uint8_t *memory;
	struct ibv_mr *mr;

	vt_end_open(&end, &wish);
	memory = arnicadv_alloc_shareable(end.context, BYTES);
	VT_CHECK(memory);
	vt_fill(memory, BYTES, 5);
	mr = ibv_reg_mr(end.pd, memory, BYTES, VT_ALL_ACCESS);
	VT_CHECK(mr);
	vt_meet(peer.fd, &end);
	target = (struct target){ (uintptr_t)memory, mr->rkey, getpid() };
	vt_tell(peer.fd, &target, sizeof(target));
	vt_sync(peer.fd);
	vt_check_fill(memory, BYTES, 6, "what was written");
	vt_join(&peer);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	VT_EQUAL(arnicadv_free_shareable(end.context, memory), 0);
	vt_end_close(&end);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(it_is_zero_and_whole_pages),
		VT_CASE(wrong_requests_are_refused),
		VT_CASE(it_ends_with_its_context),
		VT_CASE(peers_reach_it_without_the_owner),
		{ 0 },
	};

	return vt_main(argc, argv, cases);
}
