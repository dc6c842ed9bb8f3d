/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Many threads on one context, both ends of each connection in one process, so
 * that ThreadSanitizer sees both sides: 64 threads that make queues of their
 * own, use them, and destroy them, and eight that share a queue pair and a CQ.
 * Every request completes exactly once, with the data that belongs to it.
 *
 * VT_MESSAGES is the number of messages of each case.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "vt.h"

#define OWNERS 64u
#define SHARERS 8u
#define DEPTH 64u
#define SLOT 64u

static unsigned int messages;

/* One of the 64. */
struct owner {
	pthread_t thread;
	const struct vt_end *context; /* whose context it is */
	unsigned int number;
	bool alone; /* its queues are its thread's own: thread domain */
};

static struct ibv_pd *make_pd(const struct vt_end *end, struct ibv_td **td)
{
	struct ibv_td_init_attr td_init = { 0 };
	struct ibv_parent_domain_init_attr init = { .pd = end->pd };

	*td = ibv_alloc_td(end->context, &td_init);
	VT_CHECK(*td);
	init.td = *td;
	return ibv_alloc_parent_domain(end->context, &init);
}

static struct ibv_qp *make_qp(struct ibv_pd *pd, struct ibv_cq *cq)
{
	struct ibv_qp_init_attr init = {
		.send_cq = cq,
		.recv_cq = cq,
		.cap = { 4, 4, 1, 1, 0 },
		.qp_type = IBV_QPT_RC,
	};
	struct ibv_qp *qp = ibv_create_qp(pd, &init);

	VT_CHECK(qp);
	return qp;
}

static void connect_qp(const struct vt_end *context, struct ibv_qp *qp,
		       const struct ibv_qp *to)
{
	struct vt_end end = *context;
	struct vt_address address = vt_address_of(context);

	end.qp = qp;
	address.qpn = to->qp_num;
	vt_connect(&end, &address);
}

static void exchange(struct owner *owner, struct ibv_qp *from,
		     struct ibv_qp *to, struct ibv_cq *cq, struct ibv_mr *mr,
		     uint64_t message)
{
	uint64_t *buffer = mr->addr;
	struct ibv_sge source = { (uintptr_t)buffer, 8, mr->lkey };
	struct ibv_sge sink = { (uintptr_t)(buffer + 1), 8, mr->lkey };
	struct ibv_recv_wr receive = { .wr_id = message, .sg_list = &sink,
				       .num_sge = 1 };
	struct ibv_send_wr send = vt_send_wr(message, IBV_WR_SEND, &source);
	struct ibv_recv_wr *bad_receive;
	struct ibv_send_wr *bad_send;
	struct ibv_wc wc;

	buffer[0] = (uint64_t)owner->number << 32 | message;
	buffer[1] = 0;
	VT_EQUAL(ibv_post_recv(to, &receive, &bad_receive), 0);
	VT_EQUAL(ibv_post_send(from, &send, &bad_send), 0);
	for (int i = 0; i < 2; i++) {
		wc = vt_poll(cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.wr_id, message);
	}
	VT_EQUAL(buffer[1], buffer[0]);
}

static void *use_own_queues(void *argument)
{
	struct owner *owner = argument;
	struct ibv_context *context = owner->context->context;
	struct ibv_pd *pd = owner->context->pd;
	struct ibv_td *td = NULL;
	uint64_t buffer[2];
	struct ibv_mr *mr;
	struct ibv_cq *cq;
	struct ibv_qp *a, *b;

	if (owner->alone)
		pd = make_pd(owner->context, &td);
	VT_CHECK(pd);
	mr = ibv_reg_mr(pd, buffer, sizeof(buffer), IBV_ACCESS_LOCAL_WRITE);
	cq = ibv_create_cq(context, 16, NULL, NULL, 0);
	VT_CHECK(mr && cq);
	a = make_qp(pd, cq);
	b = make_qp(pd, cq);
	connect_qp(owner->context, a, b);
	connect_qp(owner->context, b, a);
	for (uint64_t i = 0; i < messages / OWNERS; i++)
		exchange(owner, i & 1 ? b : a, i & 1 ? a : b, cq, mr, i);
	VT_EQUAL(ibv_destroy_qp(a), 0);
	VT_EQUAL(ibv_destroy_qp(b), 0);
	VT_EQUAL(ibv_destroy_cq(cq), 0);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	if (td) {
		VT_EQUAL(ibv_dealloc_pd(pd), 0);
		VT_EQUAL(ibv_dealloc_td(td), 0);
	}
	return NULL;
}

/* Half of them without locks, in thread domains. */
static void sixty_four_threads_use_their_own_queues(void)
{
	struct vt_wish wish = vt_defaults();
	struct owner owners[OWNERS];
	struct vt_end end;

	vt_end_open(&end, &wish);
	for (unsigned int i = 0; i < OWNERS; i++) {
		owners[i] = (struct owner){ .context = &end, .number = i,
					    .alone = i & 1 };
		VT_EQUAL(pthread_create(&owners[i].thread, NULL,
					use_own_queues, &owners[i]),
			 0);
	}
	for (unsigned int i = 0; i < OWNERS; i++)
		VT_EQUAL(pthread_join(owners[i].thread, NULL), 0);
	vt_end_close(&end);
}

/* Shared by eight: two queue pairs that complete to one CQ. */
static struct vt_end a, b;
static atomic_uint next_message, num_sent, num_received;
static atomic_uchar *sent, *received;

static void count(atomic_uchar *table, atomic_uint *total, uint64_t message)
{
	VT_CHECK(message < messages);
	if (atomic_fetch_add(&table[message], 1))
		vt_fail(__FILE__, __LINE__, "message %u completes twice",
			(unsigned int)message);
	atomic_fetch_add(total, 1);
}

/* The receive's slot is its number; the message says which one it is. */
static void take(const struct ibv_wc *wc)
{
	uint32_t message;

	VT_STATUS(wc, IBV_WC_SUCCESS);
	if (wc->opcode != IBV_WC_RECV) {
		count(sent, &num_sent, wc->wr_id);
		return;
	}
	VT_EQUAL(wc->byte_len, 4);
	memcpy(&message, b.buffer + wc->wr_id * SLOT, 4);
	count(received, &num_received, message);
	vt_recv(&b, wc->wr_id, wc->wr_id * SLOT, SLOT);
}

static void post(uint32_t message)
{
	struct ibv_sge sge = { .addr = (uintptr_t)&message, .length = 4 };
	struct ibv_send_wr wr = vt_send_wr(message, IBV_WR_SEND, &sge), *bad;
	struct ibv_wc wc;
	int status;

	wr.send_flags |= IBV_SEND_INLINE;
	while ((status = ibv_post_send(a.qp, &wr, &bad)) == ENOMEM)
		if (ibv_poll_cq(a.send_cq, 1, &wc) == 1)
			take(&wc);
	VT_EQUAL(status, 0);
}

static void *post_and_poll(void *unused)
{
	uint32_t message;
	struct ibv_wc wc;

	(void)unused;
	while (atomic_load(&num_sent) < messages ||
	       atomic_load(&num_received) < messages) {
		message = atomic_load(&next_message) < messages ?
				  atomic_fetch_add(&next_message, 1) :
				  messages;
		if (message < messages)
			post(message);
		if (ibv_poll_cq(a.send_cq, 1, &wc) == 1)
			take(&wc);
		else
			sched_yield();
	}
	return NULL;
}

/* b, completing to the CQ of a. */
static void share_cq(void)
{
	struct ibv_qp_init_attr init = {
		.send_cq = a.send_cq,
		.recv_cq = a.send_cq,
		.cap = { DEPTH, DEPTH, 1, 1, 0 },
		.qp_type = IBV_QPT_RC,
	};

	VT_EQUAL(ibv_destroy_qp(b.qp), 0);
	b.qp = ibv_create_qp(b.pd, &init);
	VT_CHECK(b.qp);
}

/* The CQ changes its size all the while, and loses nothing. */
static void *resize(void *unused)
{
	static const int sizes[] = { 4 * DEPTH, 1000, 333, 20000 };
	uint32_t i;

	(void)unused;
	for (i = 0; atomic_load(&num_received) < messages; i++) {
		VT_EQUAL(ibv_resize_cq(a.send_cq, sizes[i % 4]), 0);
		VT_CHECK(a.send_cq->cqe >= sizes[i % 4]);
		sched_yield();
	}
	return NULL;
}

static void share(bool resized)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address to_a, to_b;
	pthread_t threads[SHARERS], resizer;

	wish.send_depth = DEPTH;
	wish.recv_depth = DEPTH;
	wish.inline_bytes = 4;
	wish.rnr_retry = 7;
	wish.cqe = 4 * DEPTH;
	sent = calloc(messages, sizeof(*sent));
	received = calloc(messages, sizeof(*received));
	VT_CHECK(sent && received);
	vt_end_open(&a, &wish);
	vt_end_open_in(&b, &a, &wish);
	share_cq();
	to_a = vt_address_of(&a);
	to_b = vt_address_of(&b);
	vt_connect(&a, &to_b);
	vt_connect(&b, &to_a);
	for (uint64_t i = 0; i < DEPTH; i++)
		vt_recv(&b, i, i * SLOT, SLOT);
	for (unsigned int i = 0; i < SHARERS; i++)
		VT_EQUAL(pthread_create(&threads[i], NULL, post_and_poll, NULL),
			 0);
	if (resized)
		VT_EQUAL(pthread_create(&resizer, NULL, resize, NULL), 0);
	for (unsigned int i = 0; i < SHARERS; i++)
		VT_EQUAL(pthread_join(threads[i], NULL), 0);
	if (resized)
		VT_EQUAL(pthread_join(resizer, NULL), 0);
	VT_EQUAL(atomic_load(&num_sent), messages);
	VT_EQUAL(atomic_load(&num_received), messages);
	vt_end_close(&b);
	vt_end_close(&a);
	free(sent);
	free(received);
}

static void eight_threads_share_a_queue_pair_and_a_cq(void)
{
	share(false);
}

static void a_cq_is_resized_under_load(void)
{
	share(true);
}

int main(int argc, char **argv)
{
	const struct vt_case cases[] = {
		{ "sixty_four_threads_use_their_own_queues",
		  sixty_four_threads_use_their_own_queues, 600 },
		{ "eight_threads_share_a_queue_pair_and_a_cq",
		  eight_threads_share_a_queue_pair_and_a_cq, 600 },
		{ "a_cq_is_resized_under_load", a_cq_is_resized_under_load,
		  600 },
		{ NULL, NULL, 0 },
	};

	messages = (unsigned int)vt_setting("VT_MESSAGES", 20000);
	return vt_main(argc, argv, cases);
}
