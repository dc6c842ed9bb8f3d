/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Functions under the port's limit: who sets it and whom it reaches, what is
 * charged, and that nothing is sent faster. (Who shares it how is
 * domain/test_limit.c.)
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "domain/limit.h"
#include "fixture.h"
#include "two_functions.h"

#define RATE 50000000ull
#define BYTES (1u << 20)
#define COUNT 4u

static int limited_setup(void **state)
{
	setenv("ARNICA_RATE", "50M", 1);
	setenv("ARNICA_WEIGHT", "7", 1);
	return two_connected_setup(state);
}

static int teardown(void **state)
{
	unsetenv("ARNICA_RATE");
	unsetenv("ARNICA_WEIGHT");
	return two_teardown(state);
}

static struct adev_counters *counters_of(struct two_function *function)
{
	return &two_function_of(function)->counters;
}

static void without_a_setting_there_is_no_limit(void **state)
{
	struct two *two = *state;
	struct arnica_bus_share share;

	assert_null(two_function_of(&two->a)->limit);
	assert_int_equal(arnica_bus_share(two->a.device_fd, &share), ENOENT);
}

static void every_byte_is_charged_and_takes_its_time(void **state)
{
	static const enum arnica_hw_opcode opcodes[] = { ARNICA_HW_OP_WRITE,
							 ARNICA_HW_OP_READ };
	struct two *two = *state;
	uint64_t began_ns = adev_now_ns();
	uint32_t i;

	for (i = 0; i < COUNT; i++) {
		struct two_request request = two_request(
			opcodes[i % 2], &two->a, 0, BYTES, &two->b, BYTES);

		(void)two_send(&two->qp_a, &request);
	}
	for (i = 0; i < COUNT; i++)
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
	/* But for what may go at once, and the last step. */
	assert_true(adev_now_ns() - began_ns >=
		    (COUNT * BYTES - 65536) * 1000 / (RATE / 1000000) -
			    4 * ADEV_MS_NS);
	assert_int_equal(counters_of(&two->a)->limit_bytes, COUNT * BYTES);
	assert_true(counters_of(&two->a)->limit_waits >= COUNT);
	assert_int_equal(counters_of(&two->b)->limit_bytes, 0);
}

static void what_needs_no_port_does_not_wait(void **state)
{
	struct two *two = *state;
	struct adev_limit *limit = two_function_of(&two->a)->limit;
	struct two_request request = two_request(ARNICA_HW_OP_LOCAL_INV,
						 &two->a, 0, 0, &two->b, 0);
	uint64_t began_ns = adev_now_ns();

	/* The port is busy for a long time. */
	adev_limit_charge(limit, began_ns, 100 * RATE);
	request.num_sge = 0;
	(void)two_send(&two->qp_a, &request);
	/* No such key; but that is told at once. */
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_MW_BIND_ERR);
}

static void the_share_is_known_outside(void **state)
{
	struct two *two = *state;
	struct arnica_bus_share share;

	assert_ok(arnica_bus_share(two->a.device_fd, &share));
	assert_int_equal(share.rate, RATE);
	assert_int_equal(share.weight, 7);
	assert_int_equal(share.weights, 7);
	assert_int_equal(arnica_bus_share(STDIN_FILENO, &share), EBADF);
}

/* `value`: NULL is no setting. */
static void attach(struct two_function *function, const char *value,
		   bool is_limited)
{
	if (value)
		setenv("ARNICA_RATE", value, 1);
	else
		unsetenv("ARNICA_RATE");
	assert_ok(two_function_open(function));
	assert_int_equal(two_function_of(function)->limit != NULL, is_limited);
}

static void the_last_setting_holds_for_the_port(void **state)
{
	struct two_function first, second, third;
	struct adev_table *table;

	(void)state;
	setenv("ARNICA_SEGMENT_MAX", "268435456", 1);
	attach(&first, "50M", true);
	table = two_function_of(&first)->directory->table;
	attach(&second, NULL, true); /* as it is */
	assert_int_equal(adev_limit_rate(table), RATE);
	attach(&third, "1G", true);
	assert_int_equal(adev_limit_rate(table), 1000000000);
	two_function_close(&third);
	attach(&third, "none", false);
	assert_int_equal(adev_limit_rate(table), 0);
	two_function_close(&third);
	two_function_close(&second);
	setenv("ARNICA_RATE", "2M", 1);
	attach(&second, "2M", true);
	two_function_close(&second);
	two_function_close(&first);
	/* The first one after a while. */
	attach(&first, NULL, false);
	two_function_close(&first);
}

static void nonsense_refuses_the_device(void **state)
{
	static const char *const rates[] = { "0", "999999", "2000G", "-1",
					     "fast" };
	struct arnica_bus *bus;
	unsigned int i;
	int fd;

	(void)state;
	setenv("ARNICA_SEGMENT_MAX", "268435456", 1);
	for (i = 0; i < sizeof(rates) / sizeof(rates[0]) + 1; i++) {
		if (i)
			setenv("ARNICA_RATE", rates[i - 1], 1);
		else
			setenv("ARNICA_WEIGHT", "1001", 1);
		fd = fixture_device_file();
		assert_int_equal(arnica_bus_attach(fd, &bus), ENODEV);
		close(fd);
		unsetenv("ARNICA_WEIGHT");
	}
	unsetenv("ARNICA_RATE");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, limited_setup, teardown)
#define ALONE(name)                                                            \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(without_a_setting_there_is_no_limit),
		TEST(every_byte_is_charged_and_takes_its_time),
		TEST(what_needs_no_port_does_not_wait),
		TEST(the_share_is_known_outside),
		ALONE(the_last_setting_holds_for_the_port),
		ALONE(nonsense_refuses_the_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
