/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Messages to groups within a host domain: each member once, whatever holds
 * one of them up or stands in its table; and as packets. */
#include <string.h>

#include "core/clock.h"
#include "core/qp_lock.h"
#include "domain/directory.h"
#include "domain/multicast.h"
#include "exec/exec.h"
#include "two_wire.h"

#define QKEY 0x11111111u
#define UD_SEND ((uint8_t)ROCE_UD | (uint8_t)ROCE_SEND_ONLY)

static const uint8_t group[16] = { [10] = 0xff, [11] = 0xff, [12] = 239,
				   [13] = 1,	[14] = 2,    [15] = 3 };

static struct two_qp third; /* of function b */
static uint32_t ah;	    /* of function a, to the group */

static struct two_wish datagram_wish(void)
{
	struct two_wish wish = two_defaults();

	wish.type = ARNICA_HW_QP_UD;
	wish.qkey = QKEY;
	return wish;
}

static uint32_t change(enum arnica_hw_command_opcode opcode, struct two_qp *qp,
		       const uint8_t gid[16])
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(opcode),
		.mcast = { .qp = arnica_to_le32(qp->handle) },
	};

	memcpy(command.mcast.gid, gid, 16);
	return two_command(qp->function, &command, NULL);
}

static uint32_t attach(struct two_qp *qp)
{
	return change(ARNICA_HW_CMD_ATTACH_MCAST, qp, group);
}

static uint32_t group_address(struct two_function *function)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_AH),
		.create_ah = {
			.pd = arnica_to_le32(function->pd),
			.port = arnica_to_le32(1),
			.attributes = { .is_global = arnica_to_le32(1) },
		},
	};
	struct arnica_hw_completion answer;

	memcpy(command.create_ah.attributes.dgid, group, 16);
	assert_ok(two_command(function, &command, &answer));
	return arnica_from_le32(answer.object.handle);
}

static void make_all(struct two *two)
{
	const struct two_wish wish = datagram_wish();

	two_create(&two->qp_a, &two->a, &wish);
	two_create(&two->qp_b, &two->b, &wish);
	two_create(&third, &two->b, &wish);
	two_connect_one(&two->qp_a, 0, &wish);
	two_connect_one(&two->qp_b, 0, &wish);
	two_connect_one(&third, 0, &wish);
	ah = group_address(&two->a);
}

static int setup(void **state)
{
	if (two_setup(state))
		return -1;
	make_all(*state);
	return 0;
}

static int wire_setup(void **state)
{
	if (two_wire_setup(state))
		return -1;
	make_all(&((struct two_wire *)*state)->two);
	return 0;
}

static void send_to_group(struct two *two, uint32_t qpn)
{
	const struct two_qp to = { .qpn = qpn };
	const struct two_request request =
		two_datagram(&two->a, 0, 8, ah, &to, QKEY);

	(void)two_send(&two->qp_a, &request);
}

static struct adev_counters *counters(struct two *two)
{
	return &two_function_of(&two->a)->counters;
}

static void each_member_gets_it_once(void **state)
{
	struct two *two = *state;

	assert_ok(attach(&two->qp_b));
	assert_ok(attach(&third));
	assert_ok(attach(&third));
	(void)two_receive(&two->qp_b, 0, 4096);
	(void)two_receive(&two->qp_b, 0, 4096);
	(void)two_receive(&third, 8192, 4096);
	(void)two_receive(&third, 8192, 4096);
	send_to_group(two, ARNICA_HW_QPN_MCAST);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&third, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
	two_expect_none(&third, TWO_RECEIVE);
}

/* One member is held up between two others: they are not served twice. */
static void a_member_that_is_held_up_gets_it_later(void **state)
{
	struct two *two = *state;
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);

	assert_ok(attach(&third));
	assert_ok(attach(&two->qp_b));
	assert_ok(attach(&two->qp_a));
	(void)two_receive(&two->qp_b, 0, 4096);
	(void)two_receive(&third, 8192, 4096);
	(void)two_receive(&third, 8192, 4096);
	(void)two_receive(&two->qp_a, 8192, 4096);
	(void)two_receive(&two->qp_a, 8192, 4096);
	assert_true(adev_qp_try_lock(
		shared, two_function_of(&two->b)->view.function));
	send_to_group(two, ARNICA_HW_QPN_MCAST);
	two_expect_none(&two->qp_a, TWO_SEND);
	/* The others have it at once. */
	(void)two_expect(&third, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_a, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	/* Who comes meanwhile is not of this message. */
	assert_ok(change(ARNICA_HW_CMD_DETACH_MCAST, &third, group));
	adev_qp_unlock(shared);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&third, TWO_RECEIVE);
	two_expect_none(&two->qp_a, TWO_RECEIVE);
	assert_int_equal(counters(two)->lost_busy, 0);
}

/* Its loss is its own, and counted once for each message. */
static void a_member_that_is_held_up_for_good_loses_alone(void **state)
{
	struct two *two = *state;
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);
	struct adev_qp *sender =
		two_function_of(&two->a)->qps[two->qp_a.handle];
	uint32_t i;

	assert_ok(attach(&two->qp_b));
	assert_ok(attach(&third));
	(void)two_receive(&two->qp_b, 0, 4096);
	for (i = 0; i < 3; i++)
		(void)two_receive(&third, 8192, 4096);
	assert_true(adev_qp_try_lock(
		shared, two_function_of(&two->b)->view.function));
	send_to_group(two, ARNICA_HW_QPN_MCAST);
	(void)two_expect(&third, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&two->qp_a, TWO_SEND);
	/* The time of the one that is held up is over. */
	adev_qp_lock_send(sender);
	sender->deadline_ns = adev_now_ns();
	adev_exec_release(sender);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(counters(two)->lost_busy, 1);
	/* From now on nobody waits for it. */
	for (i = 2; i < 4; i++) {
		send_to_group(two, ARNICA_HW_QPN_MCAST);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
		(void)two_expect(&third, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
		assert_int_equal(counters(two)->lost_busy, i);
	}
	adev_qp_unlock(shared);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
	two_expect_none(&third, TWO_RECEIVE);
	(void)two_receive(&third, 8192, 4096);
	send_to_group(two, ARNICA_HW_QPN_MCAST);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&third, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(counters(two)->lost_busy, 3);
}

static void a_lock_of_the_dead_is_taken_back(void **state)
{
	struct two *two = *state;

	assert_ok(attach(&two->qp_b));
	(void)two_receive(&two->qp_b, 0, 4096);
	assert_true(adev_qp_try_lock(two_shared_of(&two->qp_b),
				     two_nobody(&two->a)));
	send_to_group(two, ARNICA_HW_QPN_MCAST);
	two_work(&two->b);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
}

static void what_a_message_to_a_group_cannot_be(void **state)
{
	struct two *two = *state;
	uint8_t host[16];

	memcpy(host, group, 16);
	host[12] = 10;
	assert_int_equal(change(ARNICA_HW_CMD_ATTACH_MCAST, &two->qp_b, host),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(change(ARNICA_HW_CMD_DETACH_MCAST, &two->qp_b, group),
			 ARNICA_HW_COMMAND_INVALID);
	assert_ok(attach(&two->qp_b));
	assert_int_equal(two_destroy(&two->qp_b), ARNICA_HW_COMMAND_BUSY);
	(void)two_receive(&two->qp_b, 0, 4096);
	send_to_group(two, two->qp_b.qpn);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
	assert_int_equal(counters(two)->lost_refused, 1);
}

/* Whatever stands in another's table, it costs messages and no more. */
static void a_table_may_say_anything(void **state)
{
	struct two *two = *state;
	struct adev_function *b = two_function_of(&two->b);
	struct adev_view *view = &b->view;
	uint32_t i;

	assert_ok(attach(&two->qp_b));
	assert_ok(attach(&third));
	for (i = 0; i < 3; i++)
		(void)two_receive(&two->qp_b, 0, 4096);
	atomic_store(&view->shared->attach_end, UINT32_MAX);
	atomic_store(&view->attachments[1].qpn, UINT32_MAX);
	send_to_group(two, ARNICA_HW_QPN_MCAST);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	/* In the middle of a change: not looked at. */
	atomic_store(&view->attachments[1].sequence, 7);
	adev_directory_attached(b->directory, view->function, true);
	send_to_group(two, ARNICA_HW_QPN_MCAST);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
}

static void more_groups_than_a_sender_remembers(void **state)
{
	struct two *two = *state;
	uint32_t handles[20], i, round;
	uint8_t gid[16];

	memcpy(gid, group, 16);
	for (i = 0; i < 20; i++) {
		struct arnica_hw_command command = {
			.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_AH),
			.create_ah = {
				.pd = arnica_to_le32(two->a.pd),
				.port = arnica_to_le32(1),
				.attributes.is_global = arnica_to_le32(1),
			},
		};
		struct arnica_hw_completion answer;

		gid[15] = (uint8_t)i;
		memcpy(command.create_ah.attributes.dgid, gid, 16);
		assert_ok(two_command(&two->a, &command, &answer));
		handles[i] = arnica_from_le32(answer.object.handle);
		assert_ok(change(ARNICA_HW_CMD_ATTACH_MCAST,
				 i & 1 ? &third : &two->qp_b, gid));
	}
	for (round = 0; round < 3; round++)
		for (i = 0; i < 20; i++) {
			struct two_qp *to = i & 1 ? &third : &two->qp_b;

			ah = handles[i];
			(void)two_receive(to, 0, 4096);
			send_to_group(two, ARNICA_HW_QPN_MCAST);
			(void)two_expect(&two->qp_a, TWO_SEND,
					 ARNICA_HW_STATUS_SUCCESS);
			(void)two_expect(to, TWO_RECEIVE,
					 ARNICA_HW_STATUS_SUCCESS);
		}
	assert_int_equal(counters(two)->lost_no_receive, 0);
}

/* Of the same function, and of another one. */
static void a_packet_reaches_all_members_of_a_function(void **state)
{
	struct two_wire *wire = *state;
	struct two *two = &wire->two;

	assert_ok(attach(&two->qp_b));
	assert_ok(attach(&third));
	(void)two_receive(&two->qp_b, 0, 4096);
	(void)two_receive(&third, 8192, 4096);
	send_to_group(two, ARNICA_HW_QPN_MCAST);
	(void)two_wire_expect(wire, &two->qp_a, TWO_SEND,
			      ARNICA_HW_STATUS_SUCCESS);
	(void)two_wire_expect(wire, &two->qp_b, TWO_RECEIVE,
			      ARNICA_HW_STATUS_SUCCESS);
	(void)two_wire_expect(wire, &third, TWO_RECEIVE,
			      ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(wire->a.num_sent, 1);
	assert_ok(change(ARNICA_HW_CMD_DETACH_MCAST, &third, group));
	assert_ok(change(ARNICA_HW_CMD_DETACH_MCAST, &two->qp_b, group));
	(void)two_receive(&two->qp_b, 0, 4096);
	send_to_group(two, ARNICA_HW_QPN_MCAST);
	(void)two_wire_expect(wire, &two->qp_a, TWO_SEND,
			      ARNICA_HW_STATUS_SUCCESS);
	(void)two_wire_settle(wire, ADEV_MS_NS);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
	assert_int_equal(two_function_of(&two->b)->counters.wire_no_group, 1);
}

static void a_group_has_its_address_and_its_number(void **state)
{
	struct two_wire *wire = *state;
	struct two *two = &wire->two;
	const struct roce_packet packet = {
		.opcode = UD_SEND,
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = ARNICA_HW_QPN_MCAST,
		.qkey = QKEY,
		.source_qpn = 0x123456,
		.payload_bytes = 8,
	};
	struct adev_counters *b = &two_function_of(&two->b)->counters;

	/* To the number, but to the address of the host. */
	assert_ok(attach(&two->qp_b));
	(void)two_receive(&two->qp_b, 0, 4096);
	wire->a.held = true;
	two_wire_write(&wire->a, &packet, two->a.buffer);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
	assert_int_equal(b->wire_no_group, 1);
}

#define memory_test(function)                                                  \
	cmocka_unit_test_setup_teardown(function, setup, two_teardown)
#define packet_test(function)                                                  \
	cmocka_unit_test_setup_teardown(function, wire_setup, two_wire_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		memory_test(each_member_gets_it_once),
		memory_test(a_member_that_is_held_up_gets_it_later),
		memory_test(a_member_that_is_held_up_for_good_loses_alone),
		memory_test(a_lock_of_the_dead_is_taken_back),
		memory_test(what_a_message_to_a_group_cannot_be),
		memory_test(a_table_may_say_anything),
		memory_test(more_groups_than_a_sender_remembers),
		packet_test(a_packet_reaches_all_members_of_a_function),
		packet_test(a_group_has_its_address_and_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
