/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Asynchronous events: in order, before and after the descriptor is open. */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <arnica/hw/event.h>

#include "fake_function.h"

#include "comp/channel.h"

static bool has_record(int fd)
{
	struct pollfd end = { .fd = fd, .events = POLLIN };

	return poll(&end, 1, 0) == 1;
}

static void expect(int fd, uint32_t type, uint64_t user_data)
{
	struct arnica_hw_async_event event;

	assert_true(has_record(fd));
	assert_int_equal(read(fd, &event, sizeof(event)), sizeof(event));
	assert_int_equal(event.type, type);
	assert_true(event.user_data == user_data);
	assert_int_equal(event.reserved0, 0);
}

static void events_wait_for_the_descriptor(void **state)
{
	struct adev_function *fn = *state;
	int fd;

	adev_async_raise(fn, 4, 10);
	adev_async_raise(fn, 1, 11);
	assert_false(adev_channels_deliver(fn));
	assert_ok(adev_async_open(fn, &fd));
	adev_async_raise(fn, 2, 12);
	expect(fd, 4, 10);
	expect(fd, 1, 11);
	expect(fd, 2, 12);
	assert_false(has_record(fd));
	close(fd);
}

static uint32_t fill(struct adev_function *fn)
{
	uint32_t count = 0;

	while (!atomic_load(&fn->num_async_waiting))
		adev_async_raise(fn, 3, count++);
	return count;
}

static void a_full_pipe_keeps_the_order(void **state)
{
	struct adev_function *fn = *state;
	/* A pipe gives room by the page. */
	const uint32_t some = (uint32_t)sysconf(_SC_PAGESIZE) / 4;
	uint32_t count, i;
	int fd;

	assert_ok(adev_async_open(fn, &fd));
	count = fill(fn);
	assert_int_equal(arnica_load32(&fn->view.header->attention,
				       memory_order_relaxed),
			 1);
	assert_true(adev_channels_deliver(fn));
	assert_int_equal(fn->counters.events_deferred, 1);
	for (i = 0; i < some; i++)
		expect(fd, 3, i);
	adev_async_raise(fn, 3, count++); /* behind the one that waits */
	atomic_store(&fn->deliver_again_ns, 1); /* the pause is over */
	assert_false(adev_channels_deliver(fn));
	for (; i < count; i++)
		expect(fd, 3, i);
	assert_false(has_record(fd));
	close(fd);
}

static void unread_events_are_found_wherever_they_are(void **state)
{
	struct adev_function *fn = *state;
	const uint64_t gone = UINT64_MAX, other = UINT64_MAX - 1;
	uint32_t written = 0;
	int fd;

	assert_ok(adev_async_open(fn, &fd));
	adev_async_raise_for(fn, 2, gone, &written);
	expect(fd, 2, gone); /* by the application */
	adev_async_raise_for(fn, 1, gone, &written);
	fill(fn);
	adev_async_raise_for(fn, 1, gone, &written);
	adev_async_raise(fn, 1, other);
	adev_async_raise_for(fn, 1, gone, &written);
	assert_int_equal(written, 4);
	assert_int_equal(adev_async_settle(fn, gone, written), 1);
	assert_int_equal(atomic_load(&fn->num_async_waiting), 2);
	adev_async_raise(fn, 1, other); /* the list's end is still right */
	assert_int_equal(atomic_load(&fn->num_async_waiting), 3);
	close(fd);
}

static void purge_before_the_descriptor_is_open(void **state)
{
	struct adev_function *fn = *state;
	int fd;

	adev_async_raise(fn, 1, 1);
	adev_async_raise(fn, 1, 2);
	assert_int_equal(adev_async_settle(fn, 2, 1), 0);
	adev_async_raise(fn, 1, 3);
	assert_int_equal(adev_async_settle(fn, 1, 1), 0);
	assert_ok(adev_async_open(fn, &fd));
	expect(fd, 1, 3);
	assert_false(has_record(fd));
	close(fd);
}

/* Whoever comes late raises nothing, and takes back nothing of another object
 * that has the same place by now. */
static void nothing_is_raised_after_the_end(void **state)
{
	struct adev_function *fn = *state;
	uint32_t written = 0, other = 0;
	int fd;

	assert_ok(adev_async_open(fn, &fd));
	adev_async_raise_for(fn, 1, 7, &written);
	expect(fd, 1, 7);
	adev_async_raise_for(fn, 2, 7, &written);
	assert_int_equal(adev_async_end(fn, 7, &written), 1);
	adev_async_raise_for(fn, 3, 7, &written);
	assert_false(has_record(fd));
	adev_async_raise_for(fn, 4, 7, &other);
	assert_int_equal(adev_async_end(fn, 7, &written), 0);
	expect(fd, 4, 7);
	assert_int_equal(other, 1);
	close(fd);
}

static void a_closed_reader_stops_nothing(void **state)
{
	struct adev_function *fn = *state;
	int fd;

	assert_ok(adev_async_open(fn, &fd));
	close(fd);
	adev_async_raise(fn, 1, 1);
	assert_int_equal(atomic_load(&fn->num_async_waiting), 0);
	assert_false(adev_channels_deliver(fn));
}

static void what_nobody_can_read_is_not_waited_for(void **state)
{
	struct adev_function *fn = *state;
	uint32_t written = 0;
	int first, second;

	assert_ok(adev_async_open(fn, &first));
	adev_async_raise_for(fn, 1, 7, &written);
	close(first);
	assert_ok(adev_async_open(fn, &second));
	assert_int_equal(adev_async_settle(fn, 7, written),
			 ARNICA_HW_EVENTS_UNKNOWN);
	close(second);
	written = 0;
	adev_async_raise_for(fn, 1, 7, &written);
	assert_int_equal(written, 0);
}

static void two_readers_share_the_stream(void **state)
{
	struct adev_function *fn = *state;
	int first, second;

	assert_ok(adev_async_open(fn, &first));
	adev_async_raise(fn, 1, 1);
	assert_ok(adev_async_open(fn, &second));
	assert_int_equal(fcntl(second, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(second, F_GETFD), FD_CLOEXEC);
	adev_async_raise(fn, 1, 2);
	expect(second, 1, 1);
	expect(first, 1, 2);
	assert_false(has_record(first));
	assert_false(has_record(second));
	close(first);
	adev_async_raise(fn, 1, 3);
	expect(second, 1, 3);
	close(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		function_test(events_wait_for_the_descriptor),
		function_test(a_full_pipe_keeps_the_order),
		function_test(unread_events_are_found_wherever_they_are),
		function_test(purge_before_the_descriptor_is_open),
		function_test(nothing_is_raised_after_the_end),
		function_test(a_closed_reader_stops_nothing),
		function_test(what_nobody_can_read_is_not_waited_for),
		function_test(two_readers_share_the_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
