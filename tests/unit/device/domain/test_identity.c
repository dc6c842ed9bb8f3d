/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain/identity.h"

static void identity_is_the_same_for_all_processes(void **state)
{
	struct arnica_bus_identity mine;
	struct arnica_bus_identity other;
	pid_t pid;
	int status;

	(void)state;
	assert_ok(adev_identity_read(&mine));
	pid = fork();
	if (pid == 0)
		_exit(adev_identity_read(&other) != 0 ||
		      memcmp(&mine, &other, sizeof(mine)) != 0);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void identity_is_complete(void **state)
{
	struct arnica_bus_identity identity;

	(void)state;
	assert_ok(adev_identity_read(&identity));
	assert_string_equal(identity.device_name, "arnica0");
	assert_string_equal(identity.domain_path, getenv("ARNICA_RUNTIME_DIR"));
	assert_int_equal(identity.vendor_id, ADEV_IDENTITY_VENDOR_ID);
	assert_int_equal(identity.vendor_part_id, ADEV_IDENTITY_PART_ID);
	assert_int_equal(identity.node_guid >> 56 & 3, 2);
	assert_in_range(identity.port.num_gids, 1, ARNICA_HW_GID_TABLE_LEN - 1);
	assert_true(identity.port.interface_name[0]);
}

static void environment_replaces_numbers(void **state)
{
	struct arnica_bus_identity identity;

	(void)state;
	setenv("ARNICA_VENDOR_ID", "0x1d0f", 1);
	setenv("ARNICA_PART_ID", "61345", 1);
	assert_ok(adev_identity_read(&identity));
	assert_int_equal(identity.vendor_id, 0x1d0f);
	assert_int_equal(identity.vendor_part_id, 61345);
	unsetenv("ARNICA_VENDOR_ID");
	unsetenv("ARNICA_PART_ID");
}

static void wrong_numbers_are_refused(void **state)
{
	static const char *const wrong[] = {
		"x", "-1", "0x1000000", "12 ", "0", "1y", "99999999999999999999"
	};
	struct arnica_bus_identity identity;

	(void)state;
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		setenv("ARNICA_VENDOR_ID", wrong[i], 1);
		assert_int_equal(adev_identity_read(&identity), EINVAL);
	}
	unsetenv("ARNICA_VENDOR_ID");
}

static void namespace_without_interfaces_has_loopback(void **state)
{
	static const uint8_t expected[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };
	struct arnica_bus_identity mine;
	struct arnica_bus_identity identity;
	pid_t pid;
	int status;

	(void)state;
	assert_ok(adev_identity_read(&mine));
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) != 0)
			_exit(77);
		_exit(adev_identity_read(&identity) != 0 ||
		      identity.port.num_gids != 1 ||
		      identity.node_guid == mine.node_guid ||
		      memcmp(identity.port.gids[0].raw, expected, 16) != 0);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(identity_is_the_same_for_all_processes),
		domain_test(identity_is_complete),
		domain_test(environment_replaces_numbers),
		domain_test(wrong_numbers_are_refused),
		domain_test(namespace_without_interfaces_has_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
