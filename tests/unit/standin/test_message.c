/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* standin/message.c and message_attr.c: what is answered and what refused. */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "message_fixture.h"

#define DEVICE_FD 1234

static int opened_fd = -1;
static int open_error;

static int open_pipe(int device_fd, int *fd)
{
	assert_int_equal(device_fd, DEVICE_FD);
	if (open_error)
		return open_error;
	*fd = opened_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

static const struct standin_adapter adapter = {
	.open_channel = open_pipe,
	.open_async = open_pipe,
};

static int reset(void **state)
{
	(void)state;
	opened_fd = -1;
	open_error = 0;
	return 0;
}

static void start_write(struct message *message, uint64_t command)
{
	message_start(message, UVERBS_OBJECT_DEVICE,
		      UVERBS_METHOD_INVOKE_WRITE);
	message_add(message, UVERBS_ATTR_WRITE_CMD, sizeof(command), command);
}

static void the_probe_for_commands_is_told_that_room_is_missing(void **state)
{
	struct message message;

	(void)state;
	start_write(&message, IB_USER_VERBS_CMD_QUERY_DEVICE);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), ENOSPC);
}

static void a_channel_is_created(void **state)
{
	struct ib_uverbs_create_comp_channel_resp response = { 0 };
	uint64_t request = 0;
	struct ib_uverbs_attr *out;
	struct message message;

	(void)state;
	start_write(&message, IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL);
	message_add(&message, UVERBS_ATTR_CORE_IN, 8, request);
	out = message_add_output(&message, UVERBS_ATTR_CORE_OUT, &response,
				 sizeof(response));
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), 0);
	assert_int_equal(response.fd, opened_fd);
	assert_true(out->flags & UVERBS_ATTR_F_VALID_OUTPUT);
	close(opened_fd);
}

static void a_channel_that_cannot_be_reported_is_closed(void **state)
{
	struct message message;
	void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	(void)state;
	start_write(&message, IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), ENOSPC);
	assert_int_equal(opened_fd, -1);
	message_add_output(&message, UVERBS_ATTR_CORE_OUT, hole, 4);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), EFAULT);
	assert_int_equal(fcntl(opened_fd, F_GETFD), -1);
	munmap(hole, 4096);
}

static void errors_of_the_adapter_are_passed_on(void **state)
{
	uint32_t response;
	struct message message;

	(void)state;
	open_error = EMFILE;
	start_write(&message, IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL);
	message_add_output(&message, UVERBS_ATTR_CORE_OUT, &response, 4);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), EMFILE);
}

static void async_events_get_a_descriptor(void **state)
{
	struct ib_uverbs_attr *attr;
	struct message message;

	(void)state;
	message_start(&message, UVERBS_OBJECT_ASYNC_EVENT,
		      UVERBS_METHOD_ASYNC_EVENT_ALLOC);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), EINVAL);
	attr = message_add(&message, UVERBS_ATTR_ASYNC_EVENT_ALLOC_FD_HANDLE, 0,
			   0);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), 0);
	assert_int_equal(attr->data_s64, opened_fd);
	close(opened_fd);
}

static void unknown_messages_are_not_supported(void **state)
{
	uint8_t room[64];
	struct message message;

	(void)state;
	message_start(&message, UVERBS_OBJECT_DEVICE,
		      UVERBS_METHOD_GET_CONTEXT);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message),
			 EPROTONOSUPPORT);
	message_start(&message, UVERBS_OBJECT_PD, UVERBS_METHOD_PD_DESTROY);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message),
			 EPROTONOSUPPORT);
	start_write(&message, IB_USER_VERBS_CMD_ALLOC_PD);
	message_add_output(&message, UVERBS_ATTR_CORE_OUT, room, sizeof(room));
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message),
			 EPROTONOSUPPORT);
	start_write(&message, IB_USER_VERBS_CMD_QUERY_DEVICE);
	message_add_output(&message, UVERBS_ATTR_CORE_OUT, room, sizeof(room));
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message),
			 EPROTONOSUPPORT);
}

static void unknown_attributes_matter_if_they_are_mandatory(void **state)
{
	struct ib_uverbs_attr *attr;
	struct message message;

	(void)state;
	start_write(&message, IB_USER_VERBS_CMD_QUERY_DEVICE);
	attr = message_add(&message, 0x77, 8, 0);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message),
			 EPROTONOSUPPORT);
	attr->flags = 0;
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), ENOSPC);
}

static void malformed_messages_are_invalid(void **state)
{
	struct message message;

	(void)state;
	message_start(&message, UVERBS_OBJECT_DEVICE,
		      UVERBS_METHOD_INVOKE_WRITE);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), EINVAL);

	start_write(&message, 1);
	message.header.length++;
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), EINVAL);

	start_write(&message, 1);
	message.header.num_attrs = 300; /* more than a page */
	message.header.length = (uint16_t)(24 + 300 * 16);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), EINVAL);

	start_write(&message, 1);
	message.header.reserved1 = 1;
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message),
			 EPROTONOSUPPORT);

	start_write(&message, 1);
	message_add(&message, UVERBS_ATTR_WRITE_CMD, 8, 1);
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), EINVAL);

	start_write(&message, 1);
	message.attrs[0].len = 4;
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), EINVAL);

	start_write(&message, 1);
	message.attrs[0].attr_data.reserved = 1;
	assert_int_equal(message_send(&adapter, DEVICE_FD, &message), EINVAL);
}

static void wrong_addresses_are_faults(void **state)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct message message;

	(void)state;
	assert_int_equal(standin_message_handle(&adapter, DEVICE_FD, 0),
			 EFAULT);
	assert_int_equal(standin_message_handle(&adapter, DEVICE_FD, 8),
			 EFAULT);
	/* The header is there, its attributes are not. */
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	start_write(&message, 1);
	memcpy(pages + 4096 - sizeof(message.header), &message.header,
	       sizeof(message.header));
	assert_int_equal(standin_message_handle(&adapter, DEVICE_FD,
						(uintptr_t)pages + 4096 -
							sizeof(message.header)),
			 EFAULT);
	munmap(pages, 8192);
}

int main(void)
{
#define MESSAGE_TEST(name) cmocka_unit_test_setup(name, reset)
	const struct CMUnitTest tests[] = {
		MESSAGE_TEST(
			the_probe_for_commands_is_told_that_room_is_missing),
		MESSAGE_TEST(a_channel_is_created),
		MESSAGE_TEST(a_channel_that_cannot_be_reported_is_closed),
		MESSAGE_TEST(errors_of_the_adapter_are_passed_on),
		MESSAGE_TEST(async_events_get_a_descriptor),
		MESSAGE_TEST(unknown_messages_are_not_supported),
		MESSAGE_TEST(unknown_attributes_matter_if_they_are_mandatory),
		MESSAGE_TEST(malformed_messages_are_invalid),
		MESSAGE_TEST(wrong_addresses_are_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
