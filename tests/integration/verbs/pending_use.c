/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Registrations that are not waited for, as the program sees them: what is said
 * at once, what the keys are until then, what other calls make of such a
 * region, and many of them from several threads.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "pending_vt.h"

#define PAGE 4096u
#define MANY 200u
#define THREADS 3u
#define ROUNDS 16u

static struct vt_end a, b;

static void open_pair(void)
{
	struct vt_wish wish = vt_defaults();

	wish.mr_access = VT_ALL_ACCESS;
	vt_pair_open(&a, &b, &wish, false);
}

static void refused(struct arnicadv_reg_mr_attr attr, int error)
{
	errno = 0;
	VT_CHECK(!arnicadv_reg_mr(b.pd, &attr));
	VT_EQUAL(errno, error);
}

static void what_is_wrong_is_said_at_once(void)
{
	const struct arnicadv_reg_mr_attr good = { .addr = b.buffer,
						   .length = 64 };
	struct arnicadv_reg_mr_attr bad;

	open_pair();
	bad = good;
	bad.addr = b.buffer;
	bad.length = 0;
	refused(bad, EINVAL);
	bad.length = 64;
	bad.comp_mask = 2;
	refused(bad, EINVAL);
	bad.comp_mask = 0;
	bad.access = IBV_ACCESS_REMOTE_WRITE;
	refused(bad, EINVAL);
	bad.access = 0;
	bad.addr = (void *)(UINTPTR_MAX - 10);
	refused(bad, EINVAL);
	/* Others are there as soon as they are made. */
	VT_EQUAL(arnicadv_query_mr(b.mr), 0);
	VT_EQUAL(arnicadv_wait_mr(b.mr, 0), 0);
	vt_pair_close(&a, &b);
}

static void memory_that_is_not_there_is_said_later(void)
{
	uint8_t *hole = mmap(NULL, 3 * PAGE, PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct arnicadv_stag_attr stag = { .comp_mask = 0 };
	struct ibv_mr *mr;

	open_pair();
	VT_CHECK(hole != MAP_FAILED);
	VT_EQUAL(munmap(hole + PAGE, PAGE), 0);
	mr = begin_mr(b.pd, hole, 3 * PAGE);
	VT_EQUAL(arnicadv_wait_mr(mr, -1), EFAULT);
	VT_EQUAL(errno, EFAULT);
	VT_EQUAL(arnicadv_query_stag(b.context, mr->rkey, 0, &stag), 0);
	VT_EQUAL(stag.state, ARNICADV_STAG_FREE);
	/* It has nothing that could change. */
	VT_CHECK(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			      0));
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	VT_EQUAL(munmap(hole, PAGE), 0);
	VT_EQUAL(munmap(hole + 2 * PAGE, PAGE), 0);
	vt_pair_close(&a, &b);
}

static enum arnicadv_stag_state state_of(uint32_t stag, uint32_t flags)
{
	struct arnicadv_stag_attr attr = { .comp_mask = 0 };

	VT_EQUAL(arnicadv_query_stag(b.context, stag, flags, &attr), 0);
	VT_EQUAL(attr.type, ARNICADV_STAG_REGION);
	VT_EQUAL(attr.length, SLOW_BYTES);
	return attr.state;
}

static void the_key_is_pending_until_then(void)
{
	struct slow slow;
	struct ibv_mr *mr;

	open_pair();
	mr = begin_slow(b.pd, &slow);
	VT_EQUAL(state_of(mr->rkey, 0), ARNICADV_STAG_PENDING);
	VT_EQUAL(state_of(mr->rkey, ARNICADV_QUERY_STAG_TABLE),
		 ARNICADV_STAG_PENDING);
	VT_CHECK(ibv_dealloc_pd(b.pd)); /* it has a region */
	let_come(&slow, 1);
	VT_EQUAL(arnicadv_wait_mr(mr, -1), 0);
	VT_EQUAL(state_of(mr->rkey, 0), ARNICADV_STAG_VALID);
	VT_EQUAL(state_of(mr->rkey, ARNICADV_QUERY_STAG_TABLE),
		 ARNICADV_STAG_VALID);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	end_slow(&slow);
	vt_pair_close(&a, &b);
}

struct late {
	struct slow *slow;
	struct ibv_mr *mr;
};

/* Until then the main thread is in a call that waits. */
static void *come_later(void *argument)
{
	struct late *late = argument;

	usleep(20000);
	VT_EQUAL(arnicadv_query_mr(late->mr), EINPROGRESS);
	let_come(late->slow, 4);
	return NULL;
}

/* As commands of one queue: in order. */
static void other_verbs_wait_for_it(void)
{
	struct arnicadv_mkey_init_attr init = { .max_entries = 1 };
	struct arnicadv_mkey *mkey;
	struct slow slow;
	struct ibv_sge sge;
	struct ibv_mr *mr;

	open_pair();
	init.pd = b.pd;
	mkey = arnicadv_create_mkey(&init);
	VT_CHECK(mkey);
	mr = begin_slow(b.pd, &slow);
	let_come(&slow, 4);
	sge = (struct ibv_sge){ (uintptr_t)mr->addr, PAGE, mr->lkey };
	VT_EQUAL(arnicadv_set_mkey_list(mkey, 0, 1, &sge), 0);
	VT_EQUAL(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			      IBV_ACCESS_LOCAL_WRITE),
		 0);
	VT_EQUAL(arnicadv_query_mr(mr), 0);
	VT_EQUAL(arnicadv_destroy_mkey(mkey), 0);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	end_slow(&slow);
	vt_pair_close(&a, &b);
}

/* A window is bound in its turn, and what comes behind it as well. */
static void a_bind_waits_for_it(void)
{
	struct ibv_mw_bind bind = { .wr_id = 5,
				    .send_flags = IBV_SEND_SIGNALED };
	struct ibv_mw *mw;
	struct late late;
	struct slow slow;
	struct ibv_mr *mr;
	pthread_t thread;

	open_pair();
	mw = ibv_alloc_mw(b.pd, IBV_MW_TYPE_1);
	VT_CHECK(mw);
	mr = begin_slow(b.pd, &slow);
	bind.bind_info = (struct ibv_mw_bind_info){
		.mr = mr,
		.addr = (uintptr_t)mr->addr,
		.length = PAGE,
		.mw_access_flags = IBV_ACCESS_REMOTE_READ,
	};
	VT_EQUAL(ibv_bind_mw(b.qp, mw, &bind), 0);
	late = (struct late){ &slow, mr };
	VT_EQUAL(pthread_create(&thread, NULL, come_later, &late), 0);
	vt_expect(b.send_cq, 5, IBV_WC_SUCCESS);
	VT_EQUAL(pthread_join(thread, NULL), 0);
	vt_rdma(&a, 1, IBV_WR_RDMA_READ, 0, PAGE, (uintptr_t)mr->addr,
		mw->rkey);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_check_fill(a.buffer, PAGE, 4, "read through the window");
	VT_EQUAL(ibv_dealloc_mw(mw), 0);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	end_slow(&slow);
	vt_pair_close(&a, &b);
}

/* The use of it: keys at once, requests behind them, one wait at the end. */
static void many_are_begun_and_used(void)
{
	struct arnicadv_reg_mr_attr attr = {
		.comp_mask = ARNICADV_REG_MR_ATTR_IOVA,
		.length = PAGE,
		.access = VT_ALL_ACCESS,
	};
	static struct ibv_mr *mrs[MANY];
	uint8_t *memory = mmap(NULL, MANY * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	open_pair();
	VT_CHECK(memory != MAP_FAILED);
	vt_fill(a.buffer, PAGE, 9);
	for (uint32_t i = 0; i < MANY; i++) {
		attr.addr = memory + i * PAGE;
		attr.iova = 0x1000000 + i * 8;
		mrs[i] = arnicadv_reg_mr(b.pd, &attr);
		VT_CHECK(mrs[i]);
		vt_rdma(&a, i, IBV_WR_RDMA_WRITE, 0, PAGE, attr.iova,
			mrs[i]->rkey);
		if (i % 10 == 9)
			for (uint32_t j = i - 9; j <= i; j++)
				vt_expect(a.send_cq, j, IBV_WC_SUCCESS);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		VT_EQUAL(arnicadv_wait_mr(mrs[i], -1), 0);
		VT_EQUAL(ibv_dereg_mr(mrs[i]), 0);
	}
	/* All of them have ended: nobody watches any more. */
	for (uint32_t i = 0; i < MANY; i++)
		vt_check_fill(memory + i * PAGE, PAGE, 9, "written");
	VT_EQUAL(munmap(memory, MANY * PAGE), 0);
	vt_pair_close(&a, &b);
}

static _Atomic uint32_t succeeded, failed;

/* Pages come and go while regions on them are begun, used, given up. */
static void *begin_and_end(void *number)
{
	uint64_t random = (uintptr_t)number + 1;
	struct vt_wish wish = vt_defaults();
	struct vt_end from, to;

	wish.mr_access = VT_ALL_ACCESS;
	vt_pair_open(&from, &to, &wish, false);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint64_t what = vt_random(&random) % 4;
		size_t bytes = PAGE * (1 + vt_random(&random) % 64);
		uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct ibv_mr *mr;
		struct ibv_wc wc;

		VT_CHECK(memory != MAP_FAILED);
		if (what == 3)
			VT_EQUAL(mprotect(memory, bytes, PROT_NONE), 0);
		mr = begin_mr(to.pd, memory, bytes);
		if (what == 0) {
			/* Given up, used or not. */
			VT_EQUAL(ibv_dereg_mr(mr), 0);
			VT_EQUAL(munmap(memory, bytes), 0);
			continue;
		}
		vt_rdma(&from, 1, IBV_WR_RDMA_WRITE, 0, PAGE,
			(uintptr_t)memory, mr->rkey);
		wc = vt_poll(from.send_cq);
		VT_STATUS(&wc, what == 3 ? IBV_WC_REM_ACCESS_ERR :
					   IBV_WC_SUCCESS);
		VT_EQUAL(arnicadv_wait_mr(mr, -1), what == 3 ? EFAULT : 0);
		VT_EQUAL(ibv_dereg_mr(mr), 0);
		VT_EQUAL(munmap(memory, bytes), 0);
		atomic_fetch_add(what == 3 ? &failed : &succeeded, 1);
		if (what != 3)
			continue;
		vt_pair_close(&from, &to);
		vt_pair_open(&from, &to, &wish, false);
	}
	vt_pair_close(&from, &to);
	return NULL;
}

static void threads_begin_and_end_them(void)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		VT_EQUAL(pthread_create(&threads[i], NULL, begin_and_end,
					(void *)i),
			 0);
	for (uint32_t i = 0; i < THREADS; i++)
		VT_EQUAL(pthread_join(threads[i], NULL), 0);
	VT_CHECK(atomic_load(&succeeded) && atomic_load(&failed));
}

/* With what it has: nobody frees that. */
static struct ibv_pd *left_pd;
static struct ibv_mr *left_mrs[2];

static void a_device_is_closed_meanwhile(void)
{
	struct ibv_context *context = vt_open();
	struct late late;
	struct slow slow;
	pthread_t thread;

	left_pd = ibv_alloc_pd(context);
	VT_CHECK(left_pd);
	left_mrs[0] = begin_slow(left_pd, &slow);
	left_mrs[1] = begin_mr(left_pd, &slow, sizeof(slow));
	late = (struct late){ &slow, left_mrs[0] };
	VT_EQUAL(pthread_create(&thread, NULL, come_later, &late), 0);
	VT_EQUAL(pthread_join(thread, NULL), 0);
	VT_EQUAL(ibv_close_device(context), 0);
	end_slow(&slow);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(what_is_wrong_is_said_at_once),
		VT_CASE(memory_that_is_not_there_is_said_later),
		VT_CASE(the_key_is_pending_until_then),
		VT_CASE(other_verbs_wait_for_it),
		VT_CASE(a_bind_waits_for_it),
		VT_CASE(many_are_begun_and_used),
		VT_CASE(threads_begin_and_end_them),
		VT_CASE(a_device_is_closed_meanwhile),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
