/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../user_memory.h"
#include "events.h"
#include "ids.h"

typedef int standin_cm_handler(struct standin_cm_call *call);

static standin_cm_handler *const standin_cm_handlers[] = {
	[RDMA_USER_CM_CMD_CREATE_ID] = standin_cm_do_create,
	[RDMA_USER_CM_CMD_DESTROY_ID] = standin_cm_do_destroy,
	[RDMA_USER_CM_CMD_BIND_IP] = standin_cm_do_bind_ip,
	[RDMA_USER_CM_CMD_RESOLVE_IP] = standin_cm_do_resolve_ip,
	[RDMA_USER_CM_CMD_RESOLVE_ROUTE] = standin_cm_do_resolve_route,
	[RDMA_USER_CM_CMD_QUERY_ROUTE] = standin_cm_do_query_route,
	[RDMA_USER_CM_CMD_CONNECT] = standin_cm_do_connect,
	[RDMA_USER_CM_CMD_LISTEN] = standin_cm_do_listen,
	[RDMA_USER_CM_CMD_ACCEPT] = standin_cm_do_accept,
	[RDMA_USER_CM_CMD_REJECT] = standin_cm_do_reject,
	[RDMA_USER_CM_CMD_DISCONNECT] = standin_cm_do_disconnect,
	[RDMA_USER_CM_CMD_INIT_QP_ATTR] = standin_cm_do_init_qp_attr,
	[RDMA_USER_CM_CMD_GET_EVENT] = standin_cm_do_get_event,
	[RDMA_USER_CM_CMD_GET_OPTION] = NULL,
	[RDMA_USER_CM_CMD_SET_OPTION] = standin_cm_do_set_option,
	[RDMA_USER_CM_CMD_NOTIFY] = standin_cm_do_notify,
	[RDMA_USER_CM_CMD_JOIN_IP_MCAST] = standin_cm_do_join_ip_mcast,
	[RDMA_USER_CM_CMD_LEAVE_MCAST] = standin_cm_do_leave_mcast,
	[RDMA_USER_CM_CMD_MIGRATE_ID] = standin_cm_do_migrate,
	[RDMA_USER_CM_CMD_QUERY] = standin_cm_do_query,
	[RDMA_USER_CM_CMD_BIND] = standin_cm_do_bind,
	[RDMA_USER_CM_CMD_RESOLVE_ADDR] = standin_cm_do_resolve_addr,
	[RDMA_USER_CM_CMD_JOIN_MCAST] = standin_cm_do_join_mcast,
};

int standin_cm_command(struct standin_cm_file *file, int fd, const void *bytes,
		       size_t length, int cancel)
{
	uint64_t from = (uintptr_t)bytes;
	struct rdma_ucm_cmd_hdr header;
	struct standin_cm_call call;
	size_t copied;
	int error;

	if (length < sizeof(header))
		return EINVAL;
	error = standin_user_read(&header, from, sizeof(header));
	if (error)
		return error;
	if (header.cmd >=
	    sizeof(standin_cm_handlers) / sizeof(*standin_cm_handlers))
		return EINVAL;
	if (sizeof(header) + header.in > length)
		return EINVAL;
	if (!standin_cm_handlers[header.cmd])
		return ENOSYS;
	memset(&call, 0, sizeof(call));
	call.file = file;
	call.fd = fd;
	call.cancel = cancel;
	call.in_length = header.in;
	call.out_length = header.out;
	copied = header.in < sizeof(call.in) ? header.in : sizeof(call.in);
	error = copied ? standin_user_read(call.in, from + sizeof(header),
					   copied) :
			 0;
	return error ? error : standin_cm_handlers[header.cmd](&call);
}

int standin_cm_answer(const struct standin_cm_call *call, uint64_t to,
		      const void *answer, size_t length, size_t least)
{
	if (call->out_length < least)
		return ENOSPC;
	return standin_user_write(to, answer,
				  call->out_length < length ? call->out_length :
							      length);
}

int standin_cm_find_bound(struct standin_cm_call *call, uint32_t number,
			  struct standin_cm_id **id)
{
	int error = standin_cm_id_find(call->file, number, id);

	if (error)
		return error;
	return (*id)->has_device ? 0 : EINVAL;
}

/*
 * Waits for a byte as a read() of this descriptor does: not at all with
 * O_NONBLOCK, until a signal, and a thread may be cancelled. The event of the
 * byte may be gone meanwhile.
 */
static int standin_cm_wait(struct standin_cm_call *call)
{
	uint64_t inode = call->file->inode;
	struct standin_cm_file *file;
	ssize_t got;
	char byte;
	int error;

	pthread_mutex_unlock(&standin_cm.lock);
	pthread_setcancelstate(call->cancel, NULL);
	got = recv(call->fd, &byte, 1, 0);
	error = got == 1 ? 0 : got ? errno : EIO;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_mutex_lock(&standin_cm.lock);
	/* Another thread may have closed the last descriptor. */
	for (file = standin_cm.files; file; file = file->next) {
		if (file == call->file && file->inode == inode)
			return error;
	}
	return EBADF;
}

/* An event that cannot be handed over is not lost: the next call gets it. */
int standin_cm_do_get_event(struct standin_cm_call *call)
{
	const struct rdma_ucm_get_event *command = (const void *)call->in;
	const size_t least = offsetof(struct rdma_ucm_event_resp, reserved);
	const struct standin_cm_event *event = NULL;
	int error;

	if (call->out_length < least)
		return ENOSPC;
	while (!event) {
		error = standin_cm_wait(call);
		if (error)
			return error;
		event = call->file->first;
		if (!event)
			standin_cm_event_leave(call->file);
	}
	error = standin_cm_answer(call, command->response, &event->answer,
				  sizeof(event->answer), least);
	if (error)
		standin_cm_event_leave(call->file);
	else
		free(standin_cm_event_take(call->file));
	return error;
}
