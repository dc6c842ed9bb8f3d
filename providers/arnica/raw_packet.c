/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Raw packets are an interface's, and the adapter has none of its own: it
 * refuses them. Who may not open a packet socket hears that first, as from a
 * kernel, which asks for the right before it asks the driver.
 */
#include "raw_packet.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int arnica_raw_packet_refusal(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno == EPERM || errno == EACCES ? EPERM : EOPNOTSUPP;
	close(fd);
	return EOPNOTSUPP;
}

struct ibv_flow *arnica_flow_create(struct ibv_qp *qp,
				    struct ibv_flow_attr *attr)
{
	(void)qp;
	(void)attr;
	errno = arnica_raw_packet_refusal();
	return NULL;
}
