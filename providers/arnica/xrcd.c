/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* ibv_open_xrcd() and ibv_close_xrcd(); see xrcd.h. */
#include "xrcd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "context.h"

#define NEEDED                                                                 \
	((uint32_t)IBV_XRCD_INIT_ATTR_FD | (uint32_t)IBV_XRCD_INIT_ATTR_OFLAGS)

/* Which file it is; *fd is kept. */
static int identify(const struct ibv_xrcd_init_attr *attr,
		    struct arnica_hw_cmd_open_xrcd *open, int *fd)
{
	uint32_t flags = (attr->oflags & O_CREAT ? ARNICA_HW_XRCD_CREATE : 0) |
			 (attr->oflags & O_EXCL ? ARNICA_HW_XRCD_EXCLUSIVE : 0);
	struct stat status;

	*fd = -1;
	if (attr->fd == -1) {
		open->flags = arnica_to_le32(ARNICA_HW_XRCD_CREATE |
					     ARNICA_HW_XRCD_PRIVATE);
		return 0;
	}
	*fd = fcntl(attr->fd, F_DUPFD_CLOEXEC, 0);
	if (*fd < 0 || fstat(*fd, &status) != 0)
		return errno;
	open->device = arnica_to_le64(status.st_dev);
	open->inode = arnica_to_le64(status.st_ino);
	open->flags = arnica_to_le32(flags);
	return 0;
}

static int open_domain(struct arnica_xrcd *xrcd,
		       const struct ibv_xrcd_init_attr *attr)
{
	struct arnica_context *context = arnica_context_of(xrcd->verbs.context);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_OPEN_XRCD),
	};
	struct arnica_hw_completion answer;
	int error = identify(attr, &command.open_xrcd, &xrcd->fd);

	if (!error)
		error = arnica_command_execute(&context->commands, &command,
					       &answer);
	if (!error)
		xrcd->handle = arnica_from_le32(answer.object.handle);
	return error;
}

static void free_xrcd(struct arnica_xrcd *xrcd)
{
	if (xrcd->fd >= 0)
		close(xrcd->fd);
	free(xrcd);
}

struct ibv_xrcd *arnica_xrcd_open(struct ibv_context *ibv,
				  struct ibv_xrcd_init_attr *attr)
{
	struct arnica_xrcd *xrcd;
	int error;

	if (attr->comp_mask != NEEDED) {
		errno = attr->comp_mask & ~NEEDED ? EOPNOTSUPP : EINVAL;
		return NULL;
	}
	xrcd = calloc(1, sizeof(*xrcd));
	if (!xrcd) {
		errno = ENOMEM;
		return NULL;
	}
	xrcd->verbs.context = ibv;
	error = open_domain(xrcd, attr);
	if (!error)
		return &xrcd->verbs;
	free_xrcd(xrcd);
	errno = error;
	return NULL;
}

int arnica_xrcd_close(struct ibv_xrcd *ibv_xrcd)
{
	struct arnica_xrcd *xrcd = arnica_xrcd_of(ibv_xrcd);
	int error = arnica_command_object(
		&arnica_context_of(ibv_xrcd->context)->commands,
		ARNICA_HW_CMD_CLOSE_XRCD, xrcd->handle);

	if (!error)
		free_xrcd(xrcd);
	return error;
}
