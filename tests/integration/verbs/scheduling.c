/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Classes of service as applications see them: shares, priorities, numbers. */
#include <infiniband/arnicadv.h>

#include "vt.h"

/* More than a doorbell moves. */
#define MESSAGE_BYTES 196608u
#define MESSAGES 400u
#define BULK_BYTES (1u << 20)
#define BULK 32u
#define NOTES (BULK_BYTES / 2) /* where they begin in the buffer */

/* Two queue pairs of one function, each with its peer in another one. */
static struct vt_end from[2], to[2];
static struct vt_address peers[2];

static struct arnicadv_scheduler_attr scheduler_of(struct ibv_context *context)
{
	struct arnicadv_scheduler_attr attr = { .comp_mask = 0 };

	VT_EQUAL(arnicadv_query_scheduler(context, &attr), 0);
	return attr;
}

static void open_pairs(uint8_t first_class, uint8_t second_class)
{
	struct vt_wish wish = vt_defaults();
	uint32_t i;

	wish.mr_access = wish.qp_access = VT_ALL_ACCESS;
	wish.buffer_bytes = BULK_BYTES;
	wish.send_depth = 1024;
	wish.cqe = 1024;
	for (i = 0; i < 2; i++) {
		struct vt_address address;

		wish.sl = i ? second_class : first_class;
		if (i) {
			vt_end_open_in(&from[1], &from[0], &wish);
			vt_end_open_in(&to[1], &to[0], &wish);
		} else {
			vt_end_open(&from[0], &wish);
			vt_end_open(&to[0], &wish);
		}
		address = vt_address_of(&from[i]);
		peers[i] = vt_address_of(&to[i]);
		vt_connect(&from[i], &peers[i]);
		vt_connect(&to[i], &address);
	}
}

static void close_pairs(void)
{
	vt_end_close(&from[1]);
	vt_end_close(&to[1]);
	vt_end_close(&from[0]);
	vt_end_close(&to[0]);
}

static void post(uint32_t which, uint64_t id, size_t bytes)
{
	vt_rdma(&from[which], id, IBV_WR_RDMA_WRITE, 0, bytes,
		peers[which].buffer, peers[which].rkey);
}

/* Two at once, which do not go through the priority area. */
static void post_two_small(uint32_t which)
{
	struct ibv_sge sge = vt_sge(&from[which], 0, 8);
	struct ibv_send_wr wr[2];
	uint32_t i;

	for (i = 0; i < 2; i++) {
		wr[i] = vt_send_wr(i, IBV_WR_RDMA_WRITE, &sge);
		wr[i].wr.rdma.remote_addr = peers[which].buffer;
		wr[i].wr.rdma.rkey = peers[which].rkey;
	}
	wr[0].next = &wr[1];
	VT_EQUAL(vt_post_send(&from[which], wr), 0);
}

static uint32_t poll_some(uint32_t which)
{
	struct ibv_wc wc[16];
	int i, count = ibv_poll_cq(from[which].send_cq, 16, wc);

	VT_CHECK(count >= 0);
	for (i = 0; i < count; i++)
		VT_STATUS(&wc[i], IBV_WC_SUCCESS);
	return (uint32_t)count;
}

/* A message, and a note of how many messages were moved before it, of both: the
 * value of a counter that both count up. */
static void post_noted(uint32_t which, uint32_t number, uint32_t rkey)
{
	struct ibv_sge sges[2] = {
		vt_sge(&from[which], 0, MESSAGE_BYTES),
		vt_sge(&from[which], NOTES + 8 * number, 8),
	};
	struct ibv_send_wr wr[2] = {
		vt_send_wr(number, IBV_WR_RDMA_WRITE, &sges[0]),
		vt_send_wr(number, IBV_WR_ATOMIC_FETCH_AND_ADD, &sges[1]),
	};

	wr[0].wr.rdma.remote_addr = peers[which].buffer;
	wr[0].wr.rdma.rkey = peers[which].rkey;
	wr[0].send_flags = 0;
	wr[0].next = &wr[1];
	wr[1].wr.atomic.remote_addr = peers[0].buffer + NOTES;
	wr[1].wr.atomic.rkey = rkey;
	wr[1].wr.atomic.compare_add = 1;
	VT_EQUAL(vt_post_send(&from[which], wr), 0);
}

static uint64_t note(uint32_t which, uint32_t number)
{
	return ((uint64_t *)(void *)(from[which].buffer + NOTES))[number];
}

/* Messages of one before both had moved so many. */
static uint32_t moved_before(uint32_t which, uint64_t total)
{
	uint32_t count = 0;

	while (count < MESSAGES && note(which, count) < total)
		count++;
	return count;
}

/* Messages of both from when both have a backlog until one of them has done most
 * of its own. False: that was too late. */
static bool measure(uint32_t done[2], uint32_t rkeys[2])
{
	uint64_t *counter = (uint64_t *)(void *)(to[0].buffer + NOTES);
	uint64_t begin, end, other;
	uint32_t i, all = 0;

	*counter = 0;
	for (i = 0; i < MESSAGES; i++)
		post_noted(0, i, rkeys[0]);
	for (i = 0; i < MESSAGES; i++)
		post_noted(1, i, rkeys[1]);
	while (all < 2 * MESSAGES)
		all += poll_some(0) + poll_some(1);
	begin = note(1, 0) + 1;
	end = note(0, MESSAGES * 9 / 10);
	other = note(1, MESSAGES * 9 / 10);
	if (other < end)
		end = other;
	for (i = 0; i < 2; i++)
		done[i] = moved_before(i, end) - moved_before(i, begin);
	return begin < MESSAGES / 4;
}

/* Within a tenth. A slow thread may find that one was done before the other was
 * posted; then once more. */
static void shares(uint8_t a, uint8_t b)
{
	struct arnicadv_scheduler_attr attr;
	uint32_t done[2], rkeys[2], tries = 0;
	struct ibv_mr *common;

	open_pairs(0, 1);
	common = ibv_reg_mr(to[1].pd, to[0].buffer, BULK_BYTES, VT_ALL_ACCESS);
	VT_CHECK(common);
	rkeys[0] = to[0].mr->rkey;
	rkeys[1] = common->rkey;
	attr = scheduler_of(from[0].context);
	attr.policy = ARNICADV_SCHEDULER_WEIGHTED;
	attr.class_weight[0] = a;
	attr.class_weight[1] = b;
	VT_EQUAL(arnicadv_set_scheduler(from[0].context, &attr), 0);
	while (!measure(done, rkeys))
		VT_CHECK(++tries < 20);
	if (done[0] * b * 10ull < done[1] * a * 9ull ||
	    done[0] * b * 10ull > done[1] * a * 11ull)
		vt_fail(__FILE__, __LINE__, "%u to %u, with weights %u to %u",
			done[0], done[1], a, b);
	VT_EQUAL(ibv_dereg_mr(common), 0);
	close_pairs();
}

static void equal_weights_give_equal_shares(void)
{
	shares(1, 1);
}

static void weights_of_three_to_one_give_such_shares(void)
{
	shares(3, 1);
}

static void weights_of_ten_to_one_give_such_shares(void)
{
	shares(10, 1);
}

/* One engine: what is done, is done one after the other. */
static void use_one_engine(void)
{
	struct arnicadv_scheduler_attr attr = {
		.comp_mask = ARNICADV_SCHEDULER_ENGINES,
		.num_engines = 1,
		.num_gather_engines = 1,
	};

	VT_EQUAL(arnicadv_set_scheduler(from[0].context, &attr), 0);
}

/* It is done by the thread that posts it, whatever others have to do. */
static void a_message_of_a_higher_class_overtakes(void)
{
	uint32_t done = 0, small = 0, i;

	open_pairs(0, 15);
	use_one_engine();
	for (i = 0; i < BULK; i++)
		post(0, i, BULK_BYTES);
	post_two_small(1);
	small = poll_some(1);
	VT_EQUAL(small, 2);
	while (done < BULK)
		done += poll_some(0);
	close_pairs();
}

static void a_message_of_a_lower_class_waits_for_all(void)
{
	uint32_t done = 0, small = 0, i;

	open_pairs(5, 0);
	use_one_engine();
	for (i = 0; i < BULK; i++)
		post(0, i, BULK_BYTES);
	post_two_small(1);
	while (!small)
		small = poll_some(1);
	/* They were there before, though nobody looked: no poll of this queue
	 * has entered the adapter yet. */
	for (i = 0; i < BULK; i++) {
		struct ibv_wc wc;

		VT_EQUAL(ibv_poll_cq(from[0].send_cq, 1, &wc), 1);
		done++;
	}
	VT_EQUAL(done, BULK);
	while (small < 2)
		small += poll_some(1);
	close_pairs();
}

/* No class: it has its turn among equals, after some of the other's. */
static void a_message_of_the_same_class_waits_for_its_turn(void)
{
	struct arnicadv_scheduler_attr attr;
	uint32_t done = 0, small = 0, i;

	open_pairs(3, 3);
	attr = scheduler_of(from[0].context);
	VT_EQUAL(attr.policy, ARNICADV_SCHEDULER_STRICT);
	use_one_engine();
	for (i = 0; i < BULK; i++)
		post(0, i, BULK_BYTES);
	post_two_small(1);
	while (small < 2)
		small += poll_some(1);
	while (done < BULK)
		done += poll_some(0);
	close_pairs();
}

static void refused(struct ibv_context *context,
		    const struct arnicadv_scheduler_attr *attr)
{
	struct arnicadv_scheduler_attr before = scheduler_of(context), after;

	errno = 0;
	VT_EQUAL(arnicadv_set_scheduler(context, attr), EINVAL);
	VT_EQUAL(errno, EINVAL);
	after = scheduler_of(context);
	VT_CHECK(!memcmp(&before, &after, sizeof(before)));
}

static void wrong_numbers_are_refused_and_change_nothing(void)
{
	struct ibv_context *context = vt_open();
	const struct arnicadv_scheduler_attr now = scheduler_of(context);
	struct arnicadv_scheduler_attr attr = now;

	attr.comp_mask = 1ull << 40;
	refused(context, &attr);
	attr = now;
	attr.policy = (enum arnicadv_scheduler_policy)7;
	refused(context, &attr);
	attr = now;
	attr.num_engines = ARNICADV_MAX_ENGINES + 1;
	refused(context, &attr);
	attr = now;
	attr.num_gather_engines = attr.num_engines + 1;
	refused(context, &attr);
	attr = now;
	attr.class_weight[ARNICADV_NUM_CLASSES - 1] = 0;
	refused(context, &attr);
	attr = now;
	attr.watermark[0] = ARNICADV_MAX_WATERMARK + 1;
	refused(context, &attr);
	attr = now;
	attr.class_engines[1] = 0;
	refused(context, &attr);
	attr = now;
	attr.engine_weight[0] = 0;
	refused(context, &attr);
	attr = now;
	VT_EQUAL(arnicadv_query_scheduler(context, &attr), EINVAL);
	VT_EQUAL(ibv_close_device(context), 0);
}

static void what_is_not_named_stays(void)
{
	struct ibv_context *context = vt_open(), *other = vt_open();
	struct arnicadv_scheduler_attr now = scheduler_of(context), then;
	struct arnicadv_scheduler_attr attr = now;

	memset(attr.watermark, 3, sizeof(attr.watermark));
	attr.policy = ARNICADV_SCHEDULER_WEIGHTED;
	attr.num_engines = 5;
	attr.comp_mask = ARNICADV_SCHEDULER_WATERMARKS;
	VT_EQUAL(arnicadv_set_scheduler(context, &attr), 0);
	then = scheduler_of(context);
	memcpy(now.watermark, attr.watermark, sizeof(now.watermark));
	VT_CHECK(!memcmp(&now, &then, sizeof(now)));
	/* Another context has a scheduler of its own. */
	then = scheduler_of(other);
	VT_CHECK(memcmp(&now, &then, sizeof(now)) != 0);
	VT_EQUAL(ibv_close_device(other), 0);
	VT_EQUAL(ibv_close_device(context), 0);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(equal_weights_give_equal_shares),
		VT_CASE(weights_of_three_to_one_give_such_shares),
		VT_CASE(weights_of_ten_to_one_give_such_shares),
		VT_CASE(a_message_of_a_higher_class_overtakes),
		VT_CASE(a_message_of_a_lower_class_waits_for_all),
		VT_CASE(a_message_of_the_same_class_waits_for_its_turn),
		VT_CASE(wrong_numbers_are_refused_and_change_nothing),
		VT_CASE(what_is_not_named_stays),
		{ 0 },
	};

	return vt_main(argc, argv, cases);
}
