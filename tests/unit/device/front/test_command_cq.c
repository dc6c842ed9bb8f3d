/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Completion queues: checks, references, and when entries are counted. */
#include <string.h>

#include <unistd.h>

#include "fake_function.h"

#include "comp/channel.h"
#include "front/command.h"
#include "transport/qp.h"

static struct arnica_hw_command create_command(uint32_t cqe, uint32_t channel,
					       uint32_t vector, uint32_t flags)
{
	return (struct arnica_hw_command){
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_CQ),
		.create_cq = {
			.cqe = arnica_to_le32(cqe),
			.channel = arnica_to_le32(channel),
			.vector = arnica_to_le32(vector),
			.flags = arnica_to_le32(flags),
		},
	};
}

static uint32_t create(struct adev_function *fn, uint32_t cqe, uint32_t channel,
		       uint32_t vector, uint32_t flags)
{
	const struct arnica_hw_command command = create_command(cqe, channel,
								vector, flags);

	return fake_command(fn, &command, NULL);
}

static void wrong_queues_are_refused(void **state)
{
	struct adev_function *fn = *state;
	const uint32_t none = ARNICA_HW_NO_CHANNEL;

	assert_int_equal(create(fn, 0, none, 0, 0), ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(create(fn, ARNICA_HW_MAX_CQE + 1, none, 0, 0),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(create(fn, 1, none, ARNICA_HW_COMP_VECTORS, 0),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(create(fn, 1, none, 0, 4), ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(create(fn, 1, 0, 0, 0), ARNICA_HW_COMMAND_INVALID);
	assert_ok(create(fn, ARNICA_HW_MAX_CQE, none, 7, 3));
	assert_int_equal(fn->num_cqs, 1);
}

static void a_record_starts_clean(void **state)
{
	struct adev_function *fn = *state;
	const struct arnica_hw_command command = create_command(
		100, ARNICA_HW_NO_CHANNEL, 0, 0);
	struct arnica_hw_completion completion;
	struct arnica_hw_cq_record *record;
	uint32_t round;

	for (round = 0; round < 2; round++) {
		assert_ok(fake_command(fn, &command, &completion));
		/* 100 were asked for: a page has 64, and one is spared. */
		assert_int_equal(arnica_from_le32(completion.cq.cqe), 127);
		record = adev_view_at(
			&fn->view,
			arnica_from_le64(completion.cq.record_offset),
			sizeof(*record));
		assert_non_null(record);
		assert_int_equal(
			arnica_load32(&record->ready, memory_order_relaxed), 0);
		assert_int_equal(
			arnica_load32(&record->limit, memory_order_relaxed),
			127);
		arnica_store32(&record->ready, 5, memory_order_relaxed);
		assert_ok(fake_command_object(
			fn, ARNICA_HW_CMD_DESTROY_CQ,
			arnica_from_le32(completion.cq.handle)));
	}
}

static void a_used_queue_is_not_destroyed(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 10, ARNICA_HW_NO_CHANNEL, 1);

	adev_cq_attach(fn, cq, 4);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_CQ, cq),
			 ARNICA_HW_COMMAND_BUSY);
	adev_cq_detach(fn, cq, 4);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_CQ, cq));
	assert_false(adev_cq_valid(fn, cq));
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_CQ, cq),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(
		fake_command_object(fn, ARNICA_HW_CMD_DESTROY_CQ, UINT32_MAX),
		ARNICA_HW_COMMAND_NO_OBJECT);
}

static uint32_t counted(struct adev_function *fn, uint32_t cq)
{
	return arnica_load32(&fn->view.cqs[cq].record.counted,
			     memory_order_relaxed);
}

static void only_queues_that_can_overrun_are_counted(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 10, ARNICA_HW_NO_CHANNEL, 1);

	/* A power of two, and one is spared. */
	adev_cq_attach(fn, cq, 15);
	assert_int_equal(counted(fn, cq), 0);
	adev_cq_attach(fn, cq, 1);
	assert_int_equal(counted(fn, cq), 1);
	adev_cq_detach(fn, cq, 1);
	assert_int_equal(counted(fn, cq), 0);
}

static void overrun_can_be_ignored(void **state)
{
	struct adev_function *fn = *state;

	assert_ok(create(fn, 10, ARNICA_HW_NO_CHANNEL, 0,
			 ARNICA_HW_CQ_IGNORE_OVERRUN));
	adev_cq_attach(fn, 0, 100);
	assert_int_equal(counted(fn, 0), 0);
}

static uint32_t resize(struct adev_function *fn, uint32_t cq, uint32_t cqe)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_RESIZE_CQ),
		.create_cq = { .handle = arnica_to_le32(cq),
			       .cqe = arnica_to_le32(cqe) },
	};

	return fake_command(fn, &command, NULL);
}

/* In whole pages, and less where less than a page is asked for. */
static void few_entries_are_granted_where_few_are_asked_for(void **state)
{
	static const uint32_t sizes[][2] = {
		{ 1, 1 },     { 2, 3 },	    { 3, 3 },	  { 7, 7 },
		{ 8, 15 },    { 32, 63 },   { 63, 63 },	  { 64, 127 },
		{ 127, 127 }, { 128, 191 }, { 192, 255 },
		{ ARNICA_HW_MAX_CQE, ARNICA_HW_MAX_CQE },
	};
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 10, ARNICA_HW_NO_CHANNEL, 1), i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		assert_ok(resize(fn, cq, sizes[i][0]));
		assert_int_equal(arnica_load32(&fn->view.cqs[cq].record.limit,
					       memory_order_relaxed),
				 sizes[i][1]);
	}
}

/* A queue pair whose receive queue completes to the CQ: 200 entries are written
 * and 72 polled, so that two pages of them are left. */
#define DEPTH 256u
#define WRITTEN 200u
#define POLLED 72u
#define LEFT (WRITTEN - POLLED)

static struct arnica_hw_cqe entries[DEPTH];
static struct arnica_hw_queue_record queue;
static struct adev_qp qp, *qps[1] = { &qp };

static void enter_qp(struct adev_function *fn, uint32_t cq)
{
	memset(&qp, 0, sizeof(qp));
	qp.send_cq = UINT32_MAX;
	qp.recv_cq = cq;
	qp.recv_ring.entries = entries;
	qp.recv_ring.mask = DEPTH - 1;
	qp.recv_ring.record = &queue;
	for (uint32_t i = 0; i < WRITTEN; i++)
		arnica_store32(&entries[i].sequence, i + 1,
			       memory_order_relaxed);
	arnica_store32(&queue.polled, POLLED, memory_order_relaxed);
	fn->qps = qps;
	fn->qp_scan_end = 1;
	adev_cq_attach(fn, cq, DEPTH);
}

static void leave_qp(struct adev_function *fn, uint32_t cq)
{
	adev_cq_detach(fn, cq, DEPTH);
	fn->qps = NULL;
	fn->qp_scan_end = 0;
}

static void resizing_decides_anew(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, DEPTH, ARNICA_HW_NO_CHANNEL, 1);
	struct arnica_hw_cq_record *record = &fn->view.cqs[cq].record;

	enter_qp(fn, cq);
	assert_int_equal(counted(fn, cq), 0);
	assert_int_equal(resize(fn, cq, LEFT - 1), ARNICA_HW_COMMAND_INVALID);
	assert_ok(resize(fn, cq, LEFT));
	assert_int_equal(counted(fn, cq), 1);
	assert_int_equal(
		arnica_load32(&record->outstanding, memory_order_relaxed),
		LEFT);
	assert_ok(resize(fn, cq, DEPTH));
	assert_int_equal(counted(fn, cq), 0);
	assert_int_equal(resize(fn, cq, 0), ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(resize(fn, cq + 1, 5), ARNICA_HW_COMMAND_NO_OBJECT);
	leave_qp(fn, cq);
}

static void an_overrun_queue_stays_in_error(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 10, ARNICA_HW_NO_CHANNEL, 1);

	enter_qp(fn, cq);
	arnica_store32(&fn->view.cqs[cq].record.state, ARNICA_HW_CQ_OVERRUN,
		       memory_order_relaxed);
	assert_int_equal(resize(fn, cq, 1000), ARNICA_HW_COMMAND_INVALID);
	leave_qp(fn, cq);
	assert_int_equal(counted(fn, cq), 1);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_CQ, cq));
}

static void a_channel_is_kept_for_its_queues(void **state)
{
	struct adev_function *fn = *state;
	uint32_t first, second, cq;
	int fd, other;

	assert_ok(adev_channel_open(fn, &fd));
	assert_ok(adev_channel_index(fn, fd, &first));
	cq = fake_create_cq(fn, 1, first, 1);
	close(fd);
	assert_ok(adev_channel_open(fn, &fd));
	assert_ok(adev_channel_index(fn, fd, &second));
	assert_int_not_equal(first, second);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_CQ, cq));
	assert_ok(adev_channel_open(fn, &other));
	assert_ok(adev_channel_index(fn, other, &second));
	assert_int_equal(first, second);
	close(fd);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		function_test(wrong_queues_are_refused),
		function_test(a_record_starts_clean),
		function_test(a_used_queue_is_not_destroyed),
		function_test(only_queues_that_can_overrun_are_counted),
		function_test(overrun_can_be_ignored),
		function_test(few_entries_are_granted_where_few_are_asked_for),
		function_test(resizing_decides_anew),
		function_test(an_overrun_queue_stays_in_error),
		function_test(a_channel_is_kept_for_its_queues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
