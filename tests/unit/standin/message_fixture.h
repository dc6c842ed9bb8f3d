/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A uverbs message under construction, as libibverbs lays it out, for the tests
 * of standin/message*.c.
 */
#ifndef TEST_STANDIN_MESSAGE_FIXTURE_H
#define TEST_STANDIN_MESSAGE_FIXTURE_H

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <string.h>

#include "message.h"

#define MESSAGE_MAX_ATTRS 8

struct message {
	struct ib_uverbs_ioctl_hdr header;
	struct ib_uverbs_attr attrs[MESSAGE_MAX_ATTRS];
};

static inline void message_start(struct message *message, uint16_t object,
				 uint16_t method)
{
	memset(message, 0, sizeof(*message));
	message->header.object_id = object;
	message->header.method_id = method;
	message->header.length = sizeof(message->header);
}

static inline struct ib_uverbs_attr *message_add(struct message *message,
						 uint16_t id, uint16_t length,
						 uint64_t data)
{
	struct ib_uverbs_attr *attr =
		&message->attrs[message->header.num_attrs++];

	attr->attr_id = id;
	attr->len = length;
	attr->data = data;
	attr->flags = UVERBS_ATTR_F_MANDATORY;
	message->header.length += sizeof(*attr);
	return attr;
}

static inline struct ib_uverbs_attr *message_add_output(struct message *message,
							uint16_t id, void *to,
							size_t length)
{
	return message_add(message, id, (uint16_t)length, (uintptr_t)to);
}

static inline int message_send(const struct standin_adapter *adapter, int fd,
			       const struct message *message)
{
	return standin_message_handle(adapter, fd, (uintptr_t)message);
}

#endif
