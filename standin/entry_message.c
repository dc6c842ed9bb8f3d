/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The calls that are not about paths: ioctl(), write() and socket(). */
#include "entry.h"

#include <linux/netlink.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device_file.h"
#include "manager/files.h"
#include "message.h"

/* False: the descriptor is not a device file. Otherwise *result is ioctl()'s.
 */
static STANDIN_SLOW bool standin_ioctl_ours(int fd, void *argument, int *result)
{
	const struct standin_adapter *adapter;
	uint32_t index;
	int saved = errno;
	int error;

	if (!standin_device_file_check(fd, &index))
		return false;
	error = standin_adapter_get(&adapter);
	if (!error)
		error = standin_message_handle(adapter, fd,
					       (uintptr_t)argument);
	errno = error ? error : saved;
	*result = error ? -1 : 0;
	return true;
}

STANDIN_ENTRY int ioctl(int fd, unsigned long request, ...)
{
	void *argument;
	va_list args;
	int result;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	/* Programs that keep the request in an int have it sign-extended. */
	if ((uint32_t)request == (uint32_t)RDMA_VERBS_IOCTL &&
	    standin_ioctl_ours(fd, argument, &result))
		return result;
	return STANDIN_NEXT(ioctl)(fd, request, argument);
}

/* Commands of the connection manager. Programs write much else, and most have
 * nothing to do with it: those have nothing looked at. */
STANDIN_ENTRY ssize_t write(int fd, const void *bytes, size_t length)
{
	ssize_t result;

	if (standin_cm_is_used() &&
	    standin_cm_write(fd, bytes, length, &result))
		return result;
	return STANDIN_NEXT(write)(fd, bytes, length);
}

/*
 * Without this socket libibverbs looks into sysfs. The kernel is not asked: it
 * would load ib_core, and a kernel that has it answers that there is no device.
 */
STANDIN_ENTRY int socket(int domain, int type, int protocol)
{
	if (domain == AF_NETLINK && protocol == NETLINK_RDMA) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	return STANDIN_NEXT(socket)(domain, type, protocol);
}
