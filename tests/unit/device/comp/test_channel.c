/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of channels. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fake_function.h"

#include "comp/channel.h"

#define MANY 100

static void descriptors_lead_to_their_channels(void **state)
{
	struct adev_function *fn = *state;
	uint32_t index, other;
	int fds[MANY], i, copy;

	for (i = 0; i < MANY; i++) {
		assert_ok(adev_channel_open(fn, &fds[i]));
		assert_ok(adev_channel_index(fn, fds[i], &index));
		assert_int_equal(index, i);
		assert_true(adev_channel_valid(fn, index));
	}
	copy = dup(fds[50]);
	assert_ok(adev_channel_index(fn, copy, &other));
	assert_int_equal(other, 50);
	assert_false(adev_channel_valid(fn, MANY));
	close(copy);
	for (i = 0; i < MANY; i++)
		close(fds[i]);
}

static void closed_channels_are_reused(void **state)
{
	struct adev_function *fn = *state;
	int fd, i;

	for (i = 0; i < MANY; i++) {
		assert_ok(adev_channel_open(fn, &fd));
		close(fd);
	}
	assert_int_equal(fn->num_channels, 1);
}

static void strangers_are_no_channels(void **state)
{
	struct adev_function *fn = *state;
	uint32_t index;
	int ends[2], fd;

	assert_ok(adev_channel_open(fn, &fd));
	assert_ok(pipe(ends));
	assert_int_equal(adev_channel_index(fn, ends[0], &index), ENOENT);
	assert_int_equal(adev_channel_index(fn, fn->segment_fd, &index),
			 ENOENT);
	assert_int_equal(adev_channel_index(fn, -1, &index), ENOENT);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

static void events_of_no_channel_were_read(void **state)
{
	assert_int_equal(adev_channel_settle(*state, 5, 1, 0), 0);
	assert_int_equal(adev_channel_settle(*state, 5, 1, 3), 3);
	assert_false(adev_channel_get(*state, 5));
	adev_channel_put(*state, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		function_test(descriptors_lead_to_their_channels),
		function_test(closed_channels_are_reused),
		function_test(strangers_are_no_channels),
		function_test(events_of_no_channel_were_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
