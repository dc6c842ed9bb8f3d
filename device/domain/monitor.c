/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/monitor.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "domain/wake.h"

/* Messages of one drain; what is left makes the descriptor readable again. */
#define DRAIN_MESSAGES 256u
#define MESSAGE_BYTES 16384u

int adev_monitor_open(struct adev_monitor *monitor)
{
	const struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
			     RTMGRP_IPV6_IFADDR,
	};
	int error;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_ROUTE);

	monitor->fd = -1;
	if (fd < 0)
		return errno;
	error = bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) ?
			errno :
			adev_fd_mark(fd, &monitor->file);
	if (error) {
		close(fd);
		return error;
	}
	monitor->fd = adev_fd_high(fd);
	return 0;
}

/* Forgets a descriptor that is not ours any more. */
static bool is_ours(struct adev_monitor *monitor)
{
	if (!adev_fd_is(monitor->fd, &monitor->file))
		monitor->fd = -1;
	return monitor->fd >= 0;
}

void adev_monitor_close(struct adev_monitor *monitor)
{
	adev_fd_close(&monitor->fd, &monitor->file);
}

bool adev_monitor_pending(struct adev_monitor *monitor)
{
	char byte;

	if (!is_ours(monitor))
		return true;
	/* Any error but "nothing there" says that something was lost. */
	return recv(monitor->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != EINTR);
}

/* False: the visitor wants no more. */
static bool visit_messages(const void *buffer, size_t bytes,
			   adev_monitor_visit *visit, void *opaque)
{
	const struct nlmsghdr *header = buffer;
	const struct ifinfomsg *link;
	bool runs;

	for (; NLMSG_OK(header, bytes); header = NLMSG_NEXT(header, bytes)) {
		if ((header->nlmsg_type != RTM_NEWLINK &&
		     header->nlmsg_type != RTM_DELLINK) ||
		    header->nlmsg_len < NLMSG_LENGTH(sizeof(*link)))
			continue;
		link = NLMSG_DATA(header);
		/* A bridge tells of its ports by messages of its own family. */
		if (link->ifi_family != AF_UNSPEC || link->ifi_index <= 0)
			continue;
		runs = header->nlmsg_type == RTM_NEWLINK &&
		       link->ifi_flags & IFF_UP &&
		       link->ifi_flags & IFF_LOWER_UP;
		if (!visit(opaque, (uint32_t)link->ifi_index, runs))
			return false;
	}
	return true;
}

bool adev_monitor_drain(struct adev_monitor *monitor,
			adev_monitor_visit *visit, void *opaque)
{
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES];
	struct sockaddr_nl from;
	bool changed = false;
	uint32_t i;

	if (!is_ours(monitor))
		return true;
	for (i = 0; i < DRAIN_MESSAGES; i++) {
		socklen_t from_bytes = sizeof(from);
		ssize_t got = recvfrom(monitor->fd, buffer, sizeof(buffer),
				       MSG_DONTWAIT, (struct sockaddr *)&from,
				       &from_bytes);

		if (got < 0 && errno == EAGAIN)
			break;
		changed = true;
		/* ENOBUFS: some were lost; those that are left still count. */
		if (got < 0)
			continue;
		if (from_bytes < sizeof(from) || from.nl_pid != 0)
			continue; /* not from the kernel */
		if (!visit_messages(buffer, (size_t)got, visit, opaque))
			break;
	}
	return changed;
}
