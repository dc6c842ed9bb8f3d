/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Indirect keys that one thread sets while others use them: as local key, and as
 * remote key. What is refused is refused; what succeeds was one layout or the
 * other, and no byte beside them is touched.
 */
#include <infiniband/arnicadv.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "fast_vt.h"

#define ROUNDS 400u
#define BYTES 2048u
#define ALL                                                                    \
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |                    \
	 IBV_ACCESS_REMOTE_READ)

static struct arnicadv_mkey *mkey;
static atomic_bool over;

/* Four ranges of the first or of the second half of the buffer. */
static void *set_again_and_again(void *end)
{
	struct vt_end *owner = end;
	struct ibv_sge sge[4];
	uint32_t round;

	for (round = 0; !atomic_load(&over); round++) {
		for (uint32_t i = 0; i < 4; i++)
			sge[i] = vt_sge(owner,
					(round & 1 ? 65536 : 0) + 8192 * i,
					BYTES / 4);
		VT_EQUAL(arnicadv_set_mkey_list(mkey, ALL, 4, sge), 0);
		sched_yield();
	}
	return NULL;
}

static void reconnect(void)
{
	struct vt_address of_a = vt_address_of(&a), of_b = vt_address_of(&b);

	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RESET), 0);
	VT_EQUAL(vt_set_state(b.qp, IBV_QPS_RESET), 0);
	vt_connect(&a, &of_b);
	vt_connect(&b, &of_a);
}

static void check_beside(const struct vt_end *owner)
{
	for (size_t at = 0; at < 131072; at++)
		if (at % 8192 >= BYTES / 4 || at % 65536 >= 4 * 8192)
			VT_EQUAL(owner->buffer[at], 0);
}

/* `local`: a sends by its own key; else it writes by a key of b. */
static void use_meanwhile(bool local)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end *owner = local ? &a : &b;
	struct arnicadv_mkey_init_attr attr = { .max_entries = 4 };
	uint32_t succeeded = 0;
	pthread_t setter;

	vt_pair_open(&a, &b, &wish, false);
	attr.pd = owner->pd;
	mkey = arnicadv_create_mkey(&attr);
	VT_CHECK(mkey);
	atomic_store(&over, false);
	VT_EQUAL(pthread_create(&setter, NULL, set_again_and_again, owner), 0);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct ibv_sge sge = vt_sge(&a, 1 << 18, BYTES);
		struct ibv_send_wr wr;
		struct ibv_wc wc;

		if (local)
			sge = (struct ibv_sge){ 0, BYTES, mkey->lkey };
		wr = vt_send_wr(round,
				local && round & 1 ? IBV_WR_RDMA_READ :
						     IBV_WR_RDMA_WRITE,
				&sge);
		wr.wr.rdma.remote_addr =
			local ? (uintptr_t)b.buffer + (1 << 18) : 0;
		wr.wr.rdma.rkey = local ? b.mr->rkey : mkey->rkey;
		VT_EQUAL(vt_post_send(&a, &wr), 0);
		wc = vt_poll(a.send_cq);
		if (wc.status == IBV_WC_SUCCESS) {
			succeeded++;
			continue;
		}
		VT_EQUAL(wc.status, local ? IBV_WC_LOC_PROT_ERR :
					    IBV_WC_REM_ACCESS_ERR);
		reconnect();
	}
	atomic_store(&over, true);
	VT_EQUAL(pthread_join(setter, NULL), 0);
	VT_CHECK(succeeded > 0);
	check_beside(owner);
	VT_EQUAL(arnicadv_destroy_mkey(mkey), 0);
	vt_pair_close(&a, &b);
}

static void a_local_key_is_set_while_it_is_used(void)
{
	use_meanwhile(true);
}

static void a_remote_key_is_set_while_it_is_used(void)
{
	use_meanwhile(false);
}

#define SENDERS 4u
#define CHANGES 25u

static struct sender {
	struct vt_end from, to;
	struct arnicadv_mkey *mkey;
	pthread_t thread;
} senders[SENDERS];

static void *send_without_pause(void *argument)
{
	struct sender *sender = argument;
	struct ibv_sge sge = { 0, 64 * 2048, sender->mkey->lkey };

	while (!atomic_load(&over)) {
		struct ibv_send_wr wr = vt_send_wr(1, IBV_WR_RDMA_WRITE, &sge);

		wr.wr.rdma.remote_addr = (uintptr_t)sender->to.buffer;
		wr.wr.rdma.rkey = sender->to.mr->rkey;
		VT_EQUAL(vt_post_send(&sender->from, &wr), 0);
		vt_expect(sender->from.send_cq, 1, IBV_WC_SUCCESS);
	}
	return NULL;
}

static void start_sender(struct sender *sender)
{
	struct arnicadv_mkey_init_attr attr = { .max_entries = 64 };
	struct vt_wish wish = vt_defaults();
	struct ibv_sge sge[64];

	vt_pair_open(&sender->from, &sender->to, &wish, true);
	attr.pd = sender->from.pd;
	sender->mkey = arnicadv_create_mkey(&attr);
	VT_CHECK(sender->mkey);
	for (uint32_t i = 0; i < 64; i++)
		sge[i] = vt_sge(&sender->from, 4096 * i, 2048);
	VT_EQUAL(arnicadv_set_mkey_list(sender->mkey, 0, 64, sge), 0);
	VT_EQUAL(pthread_create(&sender->thread, NULL, send_without_pause,
				sender),
		 0);
}

static void stop_sender(struct sender *sender)
{
	VT_EQUAL(pthread_join(sender->thread, NULL), 0);
	VT_EQUAL(arnicadv_destroy_mkey(sender->mkey), 0);
	vt_pair_close(&sender->from, &sender->to);
}

/* Threads go through their own lists all the time: regions and keys that have
 * nothing to do with them change all the same. */
static void others_in_lists_hold_up_nobody(void)
{
	struct arnicadv_mkey_init_attr attr = { .max_entries = 4 };
	struct ibv_sge sge;

	atomic_store(&over, false);
	open_pair();
	attr.pd = b.pd;
	mkey = arnicadv_create_mkey(&attr);
	VT_CHECK(mkey);
	for (uint32_t i = 0; i < SENDERS; i++)
		start_sender(&senders[i]);
	for (uint32_t i = 0; i < CHANGES; i++) {
		register_whole(WRITE);
		end_region(region->rkey, IBV_WC_SUCCESS);
		sge = vt_sge(&b, 64 * i, 64);
		VT_EQUAL(arnicadv_set_mkey_list(mkey, ALL, 1, &sge), 0);
	}
	atomic_store(&over, true);
	for (uint32_t i = 0; i < SENDERS; i++)
		stop_sender(&senders[i]);
	VT_EQUAL(arnicadv_destroy_mkey(mkey), 0);
	close_pair();
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(a_local_key_is_set_while_it_is_used),
		VT_CASE(a_remote_key_is_set_while_it_is_used),
		VT_CASE(others_in_lists_hold_up_nobody),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
