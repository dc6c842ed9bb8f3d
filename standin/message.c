/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "message.h"

#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "message_attr.h"
#include "message_gid.h"

struct standin_method {
	uint16_t object;
	uint16_t method;
	const struct standin_attr_rule *rules;
	size_t num_rules;
	int (*handle)(const struct standin_adapter *adapter, int fd,
		      const struct standin_attrs *attrs);
};

/* A descriptor that could not be reported would be lost. */
static int standin_message_report_fd(int error, int fd)
{
	if (error)
		syscall(SYS_close, fd);
	return error;
}

enum { STANDIN_WRITE_IN, STANDIN_WRITE_OUT, STANDIN_WRITE_COMMAND };

static const struct standin_attr_rule standin_invoke_write_rules[] = {
	[STANDIN_WRITE_IN] = { .id = UVERBS_ATTR_CORE_IN },
	[STANDIN_WRITE_OUT] = { .id = UVERBS_ATTR_CORE_OUT, .output = true },
	[STANDIN_WRITE_COMMAND] = { .id = UVERBS_ATTR_WRITE_CMD,
				    .min_length = 8,
				    .max_length = 8,
				    .required = true },
	/* A provider's own part of the command: none here is looked at. */
	{ .id = UVERBS_ATTR_UHW_IN },
	{ .id = UVERBS_ATTR_UHW_OUT, .output = true },
};

static int standin_message_comp_channel(const struct standin_adapter *adapter,
					int fd,
					const struct standin_attrs *attrs)
{
	struct ib_uverbs_create_comp_channel_resp response;
	int channel;
	int error;

	if (!attrs->found[STANDIN_WRITE_OUT])
		return ENOSPC;
	if (attrs->found[STANDIN_WRITE_OUT]->len < sizeof(response))
		return ENOSPC;
	error = adapter->open_channel(fd, &channel);
	if (error)
		return error;
	response.fd = (uint32_t)channel;
	return standin_message_report_fd(
		standin_attrs_put(attrs, STANDIN_WRITE_OUT, &response,
				  sizeof(response)),
		channel);
}

/*
 * libibverbs asks for QUERY_DEVICE without room for an answer to find out
 * whether commands can come this way; "no room" says that they can.
 */
static int standin_message_invoke_write(const struct standin_adapter *adapter,
					int fd,
					const struct standin_attrs *attrs)
{
	uint64_t command;
	int error = standin_attrs_get(attrs, STANDIN_WRITE_COMMAND, &command,
				      sizeof(command));

	if (error)
		return error;
	if (command == IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL)
		return standin_message_comp_channel(adapter, fd, attrs);
	if (command == IB_USER_VERBS_CMD_QUERY_DEVICE &&
	    !attrs->found[STANDIN_WRITE_OUT])
		return ENOSPC;
	return EPROTONOSUPPORT;
}

static const struct standin_attr_rule standin_async_rules[] = {
	{ .id = UVERBS_ATTR_ASYNC_EVENT_ALLOC_FD_HANDLE,
	  .max_length = STANDIN_ATTR_NO_LENGTH,
	  .required = true },
};

static int standin_message_async(const struct standin_adapter *adapter, int fd,
				 const struct standin_attrs *attrs)
{
	int events;
	int error = adapter->open_async(fd, &events);

	if (error)
		return error;
	return standin_message_report_fd(standin_attrs_put_fd(attrs, 0, events),
					 events);
}

#define STANDIN_METHOD(object_id, method_id, its_rules, handler)               \
	{                                                                      \
		.object = (object_id), .method = (method_id),                  \
		.rules = (its_rules),                                          \
		.num_rules = sizeof(its_rules) / sizeof(*(its_rules)),         \
		.handle = (handler)                                            \
	}

static const struct standin_method standin_methods[] = {
	STANDIN_METHOD(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_INVOKE_WRITE,
		       standin_invoke_write_rules,
		       standin_message_invoke_write),
	STANDIN_METHOD(UVERBS_OBJECT_ASYNC_EVENT,
		       UVERBS_METHOD_ASYNC_EVENT_ALLOC, standin_async_rules,
		       standin_message_async),
	STANDIN_METHOD(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_GID_ENTRY,
		       standin_gid_entry_rules, standin_gid_entry),
	STANDIN_METHOD(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_GID_TABLE,
		       standin_gid_table_rules, standin_gid_table),
};

static const struct standin_method *standin_message_method(
	const struct ib_uverbs_ioctl_hdr *header)
{
	size_t i;

	for (i = 0; i < sizeof(standin_methods) / sizeof(*standin_methods);
	     i++) {
		if (standin_methods[i].object == header->object_id &&
		    standin_methods[i].method == header->method_id)
			return &standin_methods[i];
	}
	return NULL;
}

int standin_message_handle(const struct standin_adapter *adapter, int fd,
			   uint64_t address)
{
	const struct standin_method *method;
	struct ib_uverbs_ioctl_hdr header;
	struct standin_attrs attrs;
	int error;

	error = standin_user_read(&header, address, sizeof(header));
	if (error)
		return error;
	if (header.length > STANDIN_MESSAGE_MAX_BYTES ||
	    header.length !=
		    sizeof(header) + header.num_attrs * sizeof(*attrs.all))
		return EINVAL;
	if (header.reserved1 || header.reserved2)
		return EPROTONOSUPPORT;
	method = standin_message_method(&header);
	if (!method)
		return EPROTONOSUPPORT;
	error = standin_attrs_parse(&attrs, address + sizeof(header),
				    header.num_attrs, method->rules,
				    method->num_rules);
	if (error)
		return error;
	return method->handle(adapter, fd, &attrs);
}
