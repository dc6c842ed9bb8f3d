/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Shared receive queues that change their size: what is granted and refused,
 * what is outstanding meanwhile, and messages that go on.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "vt.h"

#define ENDS 2
#define SMALL 64u /* bytes of a message that is of no interest itself */

static struct vt_end owner, a[ENDS], b[ENDS];
static struct ibv_srq *srq;

static struct ibv_srq *create(uint32_t depth)
{
	struct ibv_srq_init_attr init = { .attr = { .max_wr = depth,
						    .max_sge = 1 } };
	struct ibv_srq *made = ibv_create_srq(owner.pd, &init);

	VT_CHECK(made);
	return made;
}

/* The ends a[] send to the ends b[], which share the queue. */
static void open_ends(uint32_t depth, int ends)
{
	struct vt_wish wish = vt_defaults();

	wish.send_depth = 64;
	wish.cqe = 8192;
	vt_end_open(&owner, &wish);
	srq = create(depth);
	for (int i = 0; i < ends; i++)
		vt_pair_open_srq(&a[i], &b[i], &owner, srq, &wish);
}

static void close_ends(int ends)
{
	for (int i = 0; i < ends; i++)
		vt_pair_close(&a[i], &b[i]);
	VT_EQUAL(ibv_destroy_srq(srq), 0);
	vt_end_close(&owner);
}

static int resize(uint32_t depth)
{
	struct ibv_srq_attr attr = { .max_wr = depth };
	int error = ibv_modify_srq(srq, &attr, IBV_SRQ_MAX_WR);

	if (!error)
		VT_EQUAL(attr.max_wr, depth);
	return error;
}

static struct ibv_srq_attr query(void)
{
	struct ibv_srq_attr attr;

	VT_EQUAL(ibv_query_srq(srq, &attr), 0);
	return attr;
}

static int post_at(uint64_t id, size_t offset, size_t length)
{
	struct ibv_sge sge = vt_sge(&owner, offset, length);
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	return ibv_post_srq_recv(srq, &wr, &bad);
}

static void post(uint64_t first, uint64_t end)
{
	for (; first < end; first++)
		VT_EQUAL(post_at(first, first * SMALL, SMALL), 0);
}

static void send(int i, uint64_t first, uint64_t end)
{
	for (; first < end; first++) {
		vt_fill(a[i].buffer, SMALL, first);
		vt_send(&a[i], first, 0, SMALL);
		vt_expect(a[i].send_cq, first, IBV_WC_SUCCESS);
	}
}

static void expect(int i, uint64_t first, uint64_t end)
{
	for (; first < end; first++) {
		vt_expect(b[i].recv_cq, first, IBV_WC_SUCCESS);
		vt_check_fill(owner.buffer + first * SMALL, SMALL, first,
			      "message");
	}
}

static void it_holds_what_it_says(void)
{
	struct ibv_device_attr device;

	open_ends(4, 0);
	VT_EQUAL(ibv_query_device(owner.context, &device), 0);
	VT_CHECK(device.device_cap_flags & IBV_DEVICE_SRQ_RESIZE);
	VT_EQUAL(resize(9), 0);
	VT_EQUAL(query().max_wr, 9);
	post(0, 9);
	VT_EQUAL(post_at(9, 0, 8), ENOMEM);
	VT_EQUAL(resize(8), EINVAL); /* nine are outstanding */
	VT_EQUAL(query().max_wr, 9);
	VT_EQUAL(resize(0), EINVAL);
	VT_EQUAL(resize((uint32_t)device.max_srq_wr + 1), EINVAL);
	VT_EQUAL(resize((uint32_t)device.max_srq_wr), 0);
	for (int64_t i = 9; i < device.max_srq_wr; i++)
		VT_EQUAL(post_at(0, 0, 8), 0);
	VT_EQUAL(post_at(0, 0, 8), ENOMEM);
	VT_EQUAL(ibv_destroy_srq(srq), 0);
	srq = create(100);
	post(0, 10);
	VT_EQUAL(resize(10), 0);
	VT_EQUAL(query().max_wr, 10);
	VT_EQUAL(post_at(0, 0, 8), ENOMEM);
	VT_EQUAL(resize(11), 0);
	post(10, 11);
	VT_EQUAL(post_at(0, 0, 8), ENOMEM);
	VT_EQUAL(ibv_destroy_srq(srq), 0);
	srq = create(1);
	post(0, 1);
	VT_EQUAL(resize(1), 0);
	VT_EQUAL(resize(2), 0);
	post(1, 2);
	VT_EQUAL(post_at(0, 0, 8), ENOMEM);
	close_ends(0);
}

static void size_and_limit_change_both_or_neither(void)
{
	const int both = IBV_SRQ_MAX_WR | IBV_SRQ_LIMIT;
	struct ibv_srq_attr attr = { .max_wr = 8, .srq_limit = 9 };

	open_ends(4, 1);
	VT_EQUAL(ibv_modify_srq(srq, &attr, both), EINVAL);
	VT_EQUAL(query().max_wr, 4);
	VT_EQUAL(query().srq_limit, 0);
	VT_EQUAL(ibv_modify_srq(srq, &attr, 0), 0);
	VT_EQUAL(ibv_modify_srq(srq, &attr, 1 << 5), EINVAL);
	VT_EQUAL(query().max_wr, 4);
	post(0, 4);
	attr.srq_limit = 3;
	VT_EQUAL(ibv_modify_srq(srq, &attr, both), 0);
	VT_EQUAL(query().max_wr, 8);
	VT_EQUAL(query().srq_limit, 3);
	send(0, 0, 1);
	expect(0, 0, 1);
	VT_EQUAL(resize(3), 0);
	VT_EQUAL(query().srq_limit, 3);
	VT_CHECK(!vt_readable(owner.context->async_fd, 50));
	send(0, 1, 2);
	expect(0, 1, 2);
	vt_event(owner.context, IBV_EVENT_SRQ_LIMIT_REACHED);
	/* What is armed keeps its meaning. */
	attr = (struct ibv_srq_attr){ .max_wr = 8, .srq_limit = 8 };
	VT_EQUAL(ibv_modify_srq(srq, &attr, both), 0);
	vt_event(owner.context, IBV_EVENT_SRQ_LIMIT_REACHED);
	post(4, 10);
	attr.srq_limit = 7;
	VT_EQUAL(ibv_modify_srq(srq, &attr, IBV_SRQ_LIMIT), 0);
	send(0, 2, 3);
	expect(0, 2, 3);
	VT_EQUAL(query().srq_limit, 7);
	attr.max_wr = 7;
	VT_EQUAL(ibv_modify_srq(srq, &attr, IBV_SRQ_MAX_WR), 0);
	attr.srq_limit = 7;
	attr.max_wr = 6;
	VT_EQUAL(ibv_modify_srq(srq, &attr, IBV_SRQ_MAX_WR), EINVAL);
	VT_EQUAL(query().max_wr, 7);
	close_ends(1);
}

static void what_is_posted_keeps_its_order(void)
{
	uint32_t depth = 3;
	uint64_t first = 0, next = 0;

	open_ends(depth, ENDS);
	for (int round = 0; round < 6; round++) {
		/* Somewhere in the ring of that size. */
		for (int i = 0; i < 5; i++) {
			post(next, next + 1);
			send(round % ENDS, next, next + 1);
			expect(round % ENDS, next, next + 1);
			next++;
		}
		first = next;
		post(first, first + depth);
		depth = depth * 2 + 1;
		VT_EQUAL(resize(depth), 0);
		post(first + depth / 2, first + depth);
		next = first + depth;
		for (; first < next; first++) {
			send((int)first % ENDS, first, first + 1);
			expect((int)first % ENDS, first, first + 1);
		}
	}
	close_ends(ENDS);
}

/* Nor does it matter what they brought, or that one had begun. */
static void what_nobody_polled_stays(void)
{
	uint64_t next = 0;

	open_ends(2, ENDS);
	for (uint32_t depth = 2; depth <= 64; depth *= 2) {
		uint64_t first = next;

		post(first, first + depth);
		send(0, first, first + depth / 2);
		send(1, first + depth / 2, first + depth);
		VT_EQUAL(resize(depth * 2), 0);
		post(first + depth, first + depth * 2);
		send(0, first + depth, first + depth * 2);
		expect(0, first, first + depth / 2);
		expect(1, first + depth / 2, first + depth);
		expect(0, first + depth, first + depth * 2);
		next = first + depth * 2;
	}
	close_ends(ENDS);
}

static void a_queue_pair_that_comes_later_fits(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end from, to;
	struct vt_address address;

	open_ends(2, 1);
	VT_EQUAL(resize(50), 0);
	vt_end_open(&from, &wish);
	wish.srq = srq;
	vt_end_open_in(&to, &owner, &wish);
	address = vt_address_of(&from);
	vt_connect(&to, &address);
	address = vt_address_of(&to);
	vt_connect(&from, &address);
	VT_EQUAL(resize(40), 0);
	post(0, 40);
	for (uint64_t i = 0; i < 40; i++) {
		vt_fill(from.buffer, SMALL, i);
		vt_send(&from, i, 0, SMALL);
		vt_expect(from.send_cq, i, IBV_WC_SUCCESS);
	}
	for (uint64_t i = 0; i < 40; i++)
		vt_expect(to.recv_cq, i, IBV_WC_SUCCESS);
	VT_EQUAL(vt_set_state(to.qp, IBV_QPS_ERR), 0);
	vt_end_close(&to);
	vt_end_close(&from);
	post(0, 40);
	VT_EQUAL(post_at(0, 0, 8), ENOMEM);
	close_ends(1);
}

/* Two senders, one who polls and posts, and one who changes the size. */
#define MESSAGES 800u
#define SLOTS 48u
#define BYTES 20000u
#define WINDOW 16u

static _Atomic uint32_t target; /* receives that may be posted */
static _Atomic bool over;
static uint32_t changes, smaller;

static uint32_t length_of(uint64_t sender, uint64_t number)
{
	static const uint32_t lengths[] = { 8, 33, 900, 5000, BYTES };

	return lengths[(sender + number) % 5];
}

static void *pour(void *argument)
{
	uint64_t me = (uintptr_t)argument;
	uint64_t sent = 0, done = 0;

	while (done < MESSAGES) {
		if (sent < MESSAGES && sent - done < WINDOW) {
			size_t at = sent % WINDOW * BYTES;

			vt_fill(a[me].buffer + at, length_of(me, sent),
				me << 32 | sent);
			vt_send(&a[me], sent, at, length_of(me, sent));
			sent++;
		} else {
			vt_expect(a[me].send_cq, done++, IBV_WC_SUCCESS);
		}
	}
	return NULL;
}

static void *change(void *argument)
{
	uint64_t seed = 42;

	(void)argument;
	while (!atomic_load(&over) || changes <= 10 || !smaller) {
		uint32_t depth = 1 + (uint32_t)vt_random(&seed) % SLOTS;
		uint32_t before = atomic_load(&target);
		int error;

		/* The largest sizes come one by one: the rings grow often. */
		if (changes < 10)
			depth = SLOTS << changes;
		if (depth < before)
			atomic_store(&target, depth);
		error = resize(depth);
		if (error) { /* more are outstanding for a while */
			VT_ONE_OF(error, EINVAL, EBUSY);
			atomic_store(&target, before);
		} else {
			atomic_store(&target, depth);
			smaller += depth < before;
			changes++;
		}
		if (changes % 8 == 0)
			usleep(100);
	}
	return NULL;
}

static void take_all(void)
{
	uint64_t got[ENDS] = { 0 };
	uint64_t free_ids[SLOTS], num_free = SLOTS;

	for (uint64_t i = 0; i < SLOTS; i++)
		free_ids[i] = i;
	for (uint64_t k = 0; got[0] + got[1] < ENDS * MESSAGES; k++) {
		uint64_t me = k % ENDS;
		struct ibv_wc wc;

		while (num_free && SLOTS - num_free < atomic_load(&target)) {
			uint64_t id = free_ids[num_free - 1];
			int error = post_at(id, id * BYTES, BYTES);

			if (error) { /* it is smaller already */
				VT_EQUAL(error, ENOMEM);
				break;
			}
			num_free--;
		}
		if (ibv_poll_cq(b[me].recv_cq, 1, &wc) != 1)
			continue;
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.byte_len, length_of(me, got[me]));
		vt_check_fill(owner.buffer + wc.wr_id * BYTES, wc.byte_len,
			      me << 32 | got[me], "message");
		got[me]++;
		free_ids[num_free++] = wc.wr_id;
	}
}

static void messages_go_on_meanwhile(void)
{
	pthread_t senders[ENDS], changer;

	open_ends(1, ENDS);
	atomic_store(&target, 1);
	for (uintptr_t i = 0; i < ENDS; i++)
		VT_EQUAL(pthread_create(&senders[i], NULL, pour, (void *)i),
			 0);
	VT_EQUAL(pthread_create(&changer, NULL, change, NULL), 0);
	take_all();
	for (int i = 0; i < ENDS; i++) {
		VT_EQUAL(pthread_join(senders[i], NULL), 0);
		vt_poll_nothing(b[i].recv_cq, 1);
	}
	atomic_store(&over, true);
	VT_EQUAL(pthread_join(changer, NULL), 0);
	VT_CHECK(changes > 10);
	VT_CHECK(smaller > 0);
	close_ends(ENDS);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(it_holds_what_it_says),
		VT_CASE(size_and_limit_change_both_or_neither),
		VT_CASE(what_is_posted_keeps_its_order),
		VT_CASE(what_nobody_polled_stays),
		VT_CASE(a_queue_pair_that_comes_later_fits),
		VT_CASE(messages_go_on_meanwhile),
		{ 0 },
	};

	return vt_main(argc, argv, cases);
}
