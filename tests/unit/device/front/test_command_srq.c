/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Shared receive queues: checks, references, memory, and the limit. */
#include <infiniband/verbs.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <arnica/hw/event.h>

#include "fake_function.h"

#include "comp/channel.h"
#include "front/command.h"
#include "front/srq_table.h"

#define USER_DATA 77u

static uint32_t create(struct adev_function *fn, uint32_t pd, uint32_t depth,
		       uint32_t sge, struct arnica_hw_res_srq *answer)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_SRQ),
		.create_srq = {
			.pd = arnica_to_le32(pd),
			.depth = arnica_to_le32(depth),
			.sge = arnica_to_le32(sge),
			.user_data = arnica_to_le64(USER_DATA),
		},
	};
	struct arnica_hw_completion completion;
	uint32_t status = fake_command(fn, &command, &completion);

	if (answer)
		*answer = completion.srq;
	return status;
}

static uint32_t arm(struct adev_function *fn, uint32_t srq, uint32_t limit)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_MODIFY_SRQ),
		.modify_srq = { .handle = arnica_to_le32(srq),
				.limit = arnica_to_le32(limit),
				.mask = arnica_to_le32(ARNICA_HW_SRQ_LIMIT) },
	};

	return fake_command(fn, &command, NULL);
}

static uint32_t armed(struct adev_function *fn, uint32_t srq)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_SRQ),
		.object = { .handle = arnica_to_le32(srq) },
	};
	struct arnica_hw_completion completion;

	assert_ok(fake_command(fn, &command, &completion));
	return arnica_from_le32(completion.srq_limit.limit);
}

/* How many events of the SRQ stand in the pipe. */
static int events(int fd)
{
	struct arnica_hw_async_event event;
	struct timespec none = { 0 };
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	int count = 0;

	while (ppoll(&wait, 1, &none, NULL) == 1) {
		assert_int_equal(read(fd, &event, sizeof(event)),
				 sizeof(event));
		assert_int_equal(event.type, IBV_EVENT_SRQ_LIMIT_REACHED);
		assert_int_equal(event.user_data, USER_DATA);
		count++;
	}
	return count;
}

static struct arnica_hw_srq_record *record_of(struct adev_function *fn,
					      uint32_t srq)
{
	return &fn->view.srqs[srq].record;
}

/* So many were posted, and so many of them taken. */
static void set_fill(struct adev_function *fn, uint32_t srq, uint32_t producer,
		     uint32_t head)
{
	arnica_store32(&record_of(fn, srq)->producer, producer,
		       memory_order_relaxed);
	arnica_store32(&record_of(fn, srq)->head, head, memory_order_relaxed);
}

static void wrong_queues_are_refused(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);

	assert_int_equal(create(fn, pd + 1, 1, 1, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(create(fn, pd, 0, 1, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(create(fn, pd, ARNICA_HW_MAX_QUEUE_DEPTH + 1, 1, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(create(fn, pd, 1, ARNICA_HW_MAX_SGE + 1, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(fn->num_srqs, 0);
	assert_int_equal(arm(fn, 0, 1), ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_SRQ, 0),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_QUERY_SRQ, 0),
			 ARNICA_HW_COMMAND_NO_OBJECT);
}

static void the_answer_tells_of_three_arrays_that_are_apart(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_res_srq answer;
	uint64_t entries, words, ring;

	assert_ok(create(fn, fake_alloc_pd(fn), 100, 3, &answer));
	assert_int_equal(arnica_from_le32(answer.slots), 128);
	assert_int_equal(arnica_from_le32(answer.depth), 100);
	assert_int_equal(arnica_from_le32(answer.max_sge), 3);
	assert_int_equal(arnica_from_le32(answer.entry_bytes), 64);
	entries = arnica_from_le64(answer.entries_offset);
	words = arnica_from_le64(answer.words_offset);
	ring = arnica_from_le64(answer.ring_offset);
	assert_true(entries >= fn->view.layout.heap_offset);
	assert_true(words >= entries + 128 * 64);
	assert_true(ring >= words + 128 * 8);
	assert_ptr_equal(fn->view.base + arnica_from_le64(answer.record_offset),
			 record_of(fn, arnica_from_le32(answer.handle)));
}

static uint32_t modify(struct adev_function *fn, uint32_t srq, uint32_t mask,
		       uint32_t depth, uint32_t limit)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_MODIFY_SRQ),
		.modify_srq = { .handle = arnica_to_le32(srq),
				.limit = arnica_to_le32(limit),
				.depth = arnica_to_le32(depth),
				.mask = arnica_to_le32(mask) },
	};

	return fake_command(fn, &command, NULL);
}

/* Completions that must fit the CQs change with it. */
static void size_and_limit_change_both_or_neither(void **state)
{
	const uint32_t depth = ARNICA_HW_SRQ_DEPTH, limit = ARNICA_HW_SRQ_LIMIT;
	struct adev_function *fn = *state;

	assert_ok(create(fn, fake_alloc_pd(fn), 10, 1, NULL));
	set_fill(fn, 0, 10, 0);
	assert_ok(adev_srq_get(fn, 0, 4));
	assert_ok(modify(fn, 0, depth | limit, 16, 9));
	assert_int_equal(fn->srqs[0].depth, 16);
	assert_int_equal(armed(fn, 0), 9);
	assert_int_equal(fn->cq_depths[4], 6);
	assert_int_equal(modify(fn, 0, depth | limit, 5, 6),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(modify(fn, 0, depth, 8, 0), /* nine are armed */
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(modify(fn, 0, depth, 17, 0), /* slots */
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(modify(fn, 0, depth, 0, 0),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(modify(fn, 0, 4, 12, 1), ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(fn->srqs[0].depth, 16);
	assert_int_equal(armed(fn, 0), 9);
	assert_ok(modify(fn, 0, depth, 9, 0));
	assert_int_equal(armed(fn, 0), 9);
	assert_int_equal((int32_t)fn->cq_depths[4], -1);
	assert_int_equal(adev_srq_put(fn, 0, 4), 9);
	fn->cq_depths[4] = 0;
}

/* Address space, and no memory. */
static void a_large_queue_and_many_small_ones_have_room(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn), count;
	struct arnica_hw_res_srq answer;

	for (count = 0; count < 200; count++) {
		assert_ok(create(fn, pd, 4, ARNICA_HW_MAX_SGE, &answer));
		assert_true(arnica_from_le32(answer.capacity) >= 4);
	}
	/* What is left is for those who need it. */
	assert_int_equal(arnica_from_le32(answer.capacity), 4);
	assert_true(adev_heap_room(&fn->heap) > fn->heap.quota_bytes / 4);
}

static void a_used_queue_is_not_destroyed(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	uint64_t used = fn->heap.used_bytes;

	assert_ok(create(fn, pd, 10, 1, NULL));
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, pd),
			 ARNICA_HW_COMMAND_BUSY);
	assert_ok(adev_srq_get(fn, 0, 4));
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_SRQ, 0),
			 ARNICA_HW_COMMAND_BUSY);
	(void)adev_srq_put(fn, 0, 4);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_SRQ, 0));
	assert_int_equal(fn->heap.used_bytes, used);
	assert_int_equal(fn->num_srqs, 0);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, pd));
}

static void its_memory_stays_where_somebody_may_use_it(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	uint64_t used = fn->heap.used_bytes;
	struct arnica_hw_res_srq answer;

	assert_ok(create(fn, pd, 10, 1, NULL));
	adev_srq_quarantine(fn, 0);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_SRQ, 0));
	assert_true(fn->heap.used_bytes > used);
	assert_ok(create(fn, pd, 10, 1, &answer));
	assert_int_equal(arnica_from_le32(answer.handle), 1);
}

/* Queue pairs that share it complete no more than it holds, together. */
static void its_depth_counts_once_for_each_cq(void **state)
{
	struct adev_function *fn = *state;

	assert_ok(create(fn, fake_alloc_pd(fn), 10, 1, NULL));
	assert_ok(adev_srq_get(fn, 0, 4));
	assert_int_equal(adev_srq_adds(fn, 0, 4), 10);
	assert_ok(adev_srq_get(fn, 0, 4));
	assert_int_equal(adev_srq_adds(fn, 0, 4), 0);
	assert_ok(adev_srq_get(fn, 0, 5));
	assert_int_equal(adev_srq_adds(fn, 0, 5), 10);
	assert_int_equal(adev_srq_put(fn, 0, 4), 0);
	assert_int_equal(adev_srq_put(fn, 0, 4), 10);
	assert_int_equal(adev_srq_put(fn, 0, 5), 10);
	assert_ok(adev_srq_get(fn, ADEV_NO_SRQ, 4));
	assert_int_equal(adev_srq_adds(fn, ADEV_NO_SRQ, 4), 0);
	assert_int_equal(adev_srq_put(fn, ADEV_NO_SRQ, 4), 0);
}

static void the_event_comes_once_below_the_limit(void **state)
{
	struct adev_function *fn = *state;
	int fd;

	assert_ok(adev_async_open(fn, &fd));
	assert_ok(create(fn, fake_alloc_pd(fn), 10, 1, NULL));
	assert_int_equal(arm(fn, 0, 11), ARNICA_HW_COMMAND_INVALID);
	set_fill(fn, 0, 8, 0);
	assert_ok(arm(fn, 0, 4));
	assert_int_equal(armed(fn, 0), 4);
	set_fill(fn, 0, 8, 4);
	adev_srq_check_limit(&fn->view, 0);
	adev_srq_serve(fn);
	assert_int_equal(events(fd), 0);
	set_fill(fn, 0, 8, 5);
	adev_srq_check_limit(&fn->view, 0);
	/* It is told of, though more were posted since. */
	set_fill(fn, 0, 12, 5);
	adev_srq_check_limit(&fn->view, 0);
	adev_srq_serve(fn);
	adev_srq_serve(fn);
	assert_int_equal(events(fd), 1);
	assert_int_equal(armed(fn, 0), 0);
	set_fill(fn, 0, 12, 12);
	adev_srq_check_limit(&fn->view, 0);
	adev_srq_serve(fn);
	assert_int_equal(events(fd), 0);
	close(fd);
}

static void arming_below_the_limit_fires_at_once(void **state)
{
	struct adev_function *fn = *state;
	int fd;

	assert_ok(adev_async_open(fn, &fd));
	assert_ok(create(fn, fake_alloc_pd(fn), 10, 1, NULL));
	assert_ok(arm(fn, 0, 1));
	assert_int_equal(events(fd), 1);
	set_fill(fn, 0, 5, 0);
	assert_ok(arm(fn, 0, 5));
	assert_ok(arm(fn, 0, 0));
	set_fill(fn, 0, 5, 5);
	adev_srq_check_limit(&fn->view, 0);
	adev_srq_serve(fn);
	assert_int_equal(events(fd), 0);
	close(fd);
}

/* A taker that is killed between taking an entry and looking at the limit, or
 * between firing and telling. */
static void a_death_loses_no_event(void **state)
{
	struct adev_function *fn = *state;
	int fd;

	assert_ok(adev_async_open(fn, &fd));
	assert_ok(create(fn, fake_alloc_pd(fn), 10, 1, NULL));
	set_fill(fn, 0, 5, 0);
	assert_ok(arm(fn, 0, 5));
	set_fill(fn, 0, 5, 1);
	adev_srq_serve(fn);
	assert_int_equal(events(fd), 0);
	adev_srq_rescan(fn);
	adev_srq_serve(fn);
	assert_int_equal(events(fd), 1);
	set_fill(fn, 0, 6, 1);
	assert_ok(arm(fn, 0, 5));
	atomic_fetch_or(&fn->view.srqs[0].limit, ADEV_SRQ_FIRED);
	adev_srq_rescan(fn);
	adev_srq_serve(fn);
	assert_int_equal(events(fd), 1);
	close(fd);
}

/* Who asks and hears that nothing is armed any more can read the event. */
static void a_query_raises_what_has_fired(void **state)
{
	struct adev_function *fn = *state;
	int fd;

	assert_ok(adev_async_open(fn, &fd));
	assert_ok(create(fn, fake_alloc_pd(fn), 10, 1, NULL));
	set_fill(fn, 0, 5, 0);
	assert_ok(arm(fn, 0, 5));
	atomic_fetch_or(&fn->view.srqs[0].limit, ADEV_SRQ_FIRED);
	assert_int_equal(armed(fn, 0), 0);
	assert_int_equal(events(fd), 1);
	adev_srq_serve(fn);
	assert_int_equal(events(fd), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		function_test(wrong_queues_are_refused),
		function_test(the_answer_tells_of_three_arrays_that_are_apart),
		function_test(size_and_limit_change_both_or_neither),
		function_test(a_large_queue_and_many_small_ones_have_room),
		function_test(a_used_queue_is_not_destroyed),
		function_test(its_memory_stays_where_somebody_may_use_it),
		function_test(its_depth_counts_once_for_each_cq),
		function_test(the_event_comes_once_below_the_limit),
		function_test(arming_below_the_limit_fires_at_once),
		function_test(a_death_loses_no_event),
		function_test(a_query_raises_what_has_fired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
