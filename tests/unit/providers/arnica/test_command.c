/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The control queue from the host's side, and what statuses become. */
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "command.h"
#include "fake_bus.h"

struct queue_fixture {
	struct arnica_bus *bus;
	struct arnica_command_queue queue;
};

static int open_queue(void **state)
{
	struct queue_fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->bus = fake_bus_create();
	*state = fixture;
	return arnica_command_init(&fixture->queue, fixture->bus);
}

static int close_queue(void **state)
{
	struct queue_fixture *fixture = *state;

	arnica_command_fini(&fixture->queue);
	fake_bus_destroy(fixture->bus);
	free(fixture);
	return 0;
}

static void status_becomes_the_errno_of_the_contract(void **state)
{
	(void)state;
	assert_int_equal(arnica_command_errno(ARNICA_HW_COMMAND_OK), 0);
	assert_int_equal(arnica_command_errno(ARNICA_HW_COMMAND_INVALID),
			 EINVAL);
	assert_int_equal(arnica_command_errno(ARNICA_HW_COMMAND_NO_MEMORY),
			 ENOMEM);
	assert_int_equal(arnica_command_errno(ARNICA_HW_COMMAND_BUSY), EBUSY);
	assert_int_equal(arnica_command_errno(ARNICA_HW_COMMAND_NOT_SUPPORTED),
			 EOPNOTSUPP);
	assert_int_equal(arnica_command_errno(ARNICA_HW_COMMAND_NO_OBJECT),
			 EINVAL);
	assert_int_equal(arnica_command_errno(ARNICA_HW_COMMAND_FAULT), EFAULT);
	assert_int_equal(arnica_command_errno(ARNICA_HW_COMMAND_PERMISSION),
			 EPERM);
	assert_int_equal(arnica_command_errno(ARNICA_HW_COMMAND_UNREACHABLE),
			 ENETUNREACH);
	assert_int_equal(arnica_command_errno(ARNICA_HW_COMMAND_IO), EIO);
	assert_int_equal(
		arnica_command_errno(ARNICA_HW_COMMAND_NO_SUCH_COMMAND),
		EOPNOTSUPP);
	assert_int_equal(arnica_command_errno(12345), EIO);
}

static void slots_are_used_again_in_order(void **state)
{
	struct queue_fixture *fixture = *state;
	uint32_t i;

	for (i = 0; i < 3 * ARNICA_HW_CQP_DEPTH; i++) {
		assert_int_equal(arnica_command_object(&fixture->queue,
						       ARNICA_HW_CMD_DEALLOC_PD,
						       i),
				 0);
		assert_int_equal(
			arnica_from_le32(fixture->bus->last.object.handle), i);
	}
	assert_int_equal(fixture->bus->next_command, 3 * ARNICA_HW_CQP_DEPTH);
}

static void failure_is_passed_on(void **state)
{
	struct queue_fixture *fixture = *state;

	fixture->bus->fail_opcode = ARNICA_HW_CMD_DEALLOC_PD;
	fixture->bus->fail_status = ARNICA_HW_COMMAND_BUSY;
	assert_int_equal(arnica_command_object(&fixture->queue,
					       ARNICA_HW_CMD_DEALLOC_PD, 1),
			 EBUSY);
}

static void dead_function_answers_eio(void **state)
{
	struct queue_fixture *fixture = *state;

	fixture->bus->alive = false;
	assert_int_equal(arnica_command_object(&fixture->queue,
					       ARNICA_HW_CMD_DEALLOC_PD, 1),
			 EIO);
	assert_int_equal(fixture->bus->next_command, 0);
}

static int renewals, renewal_error;

static int count_renewal(struct arnica_command_queue *queue)
{
	renewals++;
	if (!renewal_error)
		atomic_store(&queue->orphaned, false);
	return renewal_error;
}

static void orphaned_queue_is_renewed_before_its_first_command(void **state)
{
	struct queue_fixture *fixture = *state;
	struct arnica_command_queue *queue = &fixture->queue;

	renewals = 0;
	atomic_store(&queue->orphaned, true);
	assert_int_equal(arnica_command_object(queue, ARNICA_HW_CMD_DEALLOC_PD,
					       7),
			 EIO);
	queue->renew = count_renewal;
	renewal_error = ENOMEM;
	assert_int_equal(arnica_command_object(queue, ARNICA_HW_CMD_DEALLOC_PD,
					       7),
			 ENOMEM);
	assert_int_equal(queue->next, 0);
	renewal_error = 0;
	assert_int_equal(arnica_command_object(queue, ARNICA_HW_CMD_DEALLOC_PD,
					       7),
			 0);
	assert_int_equal(arnica_command_object(queue, ARNICA_HW_CMD_DEALLOC_PD,
					       7),
			 0);
	assert_int_equal(renewals, 2);
	assert_int_equal(queue->next, 2);
}

static void questions_leave_no_trace(void **state)
{
	struct queue_fixture *fixture = *state;

	assert_int_equal(arnica_command_object(&fixture->queue,
					       ARNICA_HW_CMD_QUERY_DEVICE, 0),
			 0);
	assert_false(atomic_load(&fixture->queue.used));
	assert_int_equal(arnica_command_object(&fixture->queue,
					       ARNICA_HW_CMD_DEALLOC_PD, 0),
			 0);
	assert_true(atomic_load(&fixture->queue.used));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_becomes_the_errno_of_the_contract),
		cmocka_unit_test_setup_teardown(slots_are_used_again_in_order,
						open_queue, close_queue),
		cmocka_unit_test_setup_teardown(failure_is_passed_on,
						open_queue, close_queue),
		cmocka_unit_test_setup_teardown(dead_function_answers_eio,
						open_queue, close_queue),
		cmocka_unit_test_setup_teardown(
			orphaned_queue_is_renewed_before_its_first_command,
			open_queue, close_queue),
		cmocka_unit_test_setup_teardown(questions_leave_no_trace,
						open_queue, close_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
