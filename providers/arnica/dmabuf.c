/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Regions of dma-bufs; see dmabuf.h. The adapter's engines are processors, and
 * reach the buffer as processors do: by a mapping, between the two calls that
 * tell its exporter when they do (DMA_BUF_IOCTL_SYNC).
 */
#include "dmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the kernel takes for regions of dma-bufs; among the optional rights, too,
 * it knows this one only. */
#define ACCESS                                                                 \
	((int)IBV_ACCESS_LOCAL_WRITE | (int)IBV_ACCESS_REMOTE_WRITE |          \
	 (int)IBV_ACCESS_REMOTE_READ | (int)IBV_ACCESS_REMOTE_ATOMIC |         \
	 (int)IBV_ACCESS_RELAXED_ORDERING)

#define PAGE ((uint64_t)ARNICA_HW_PAGE_BYTES)

/* The kernel describes no other file so. */
static int check_kind(int fd)
{
	char path[64], line[256];
	int error = EINVAL;
	FILE *info;

	if (fcntl(fd, F_GETFD) < 0)
		return EBADF;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	if (!info)
		return EINVAL;
	while (error && fgets(line, sizeof(line), info))
		if (!strncmp(line, "exp_name:", strlen("exp_name:")))
			error = 0;
	fclose(info);
	return error;
}

static int check_range(int fd, uint64_t offset, size_t length, uint64_t iova)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0 || !length || offset > (uint64_t)size ||
	    length > (uint64_t)size - offset)
		return EINVAL;
	return (offset ^ iova) % PAGE ? EINVAL : 0;
}

static int sync_with_exporter(int fd, uint64_t when, int access)
{
	struct dma_buf_sync sync = {
		.flags = when | (access & IBV_ACCESS_LOCAL_WRITE ?
					 DMA_BUF_SYNC_RW :
					 DMA_BUF_SYNC_READ),
	};
	int error;

	do
		error = ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? errno : 0;
	while (error == EINTR || error == EAGAIN);
	return error;
}

/* A mapping, and a descriptor of our own to tell the exporter of its end. From
 * the buffer's beginning: there are exporters that map that whatever offset they
 * are asked for (Linux' drm_gem_shmem). */
static int map(int fd, size_t bytes, int access, struct arnica_dmabuf *buffer)
{
	int rights = PROT_READ |
		     (access & IBV_ACCESS_LOCAL_WRITE ? PROT_WRITE : 0);
	int error;

	buffer->bytes = bytes;
	buffer->access = access;
	buffer->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (buffer->fd < 0)
		return errno;
	buffer->start = mmap(NULL, bytes, rights, MAP_SHARED, buffer->fd, 0);
	if (buffer->start == MAP_FAILED) {
		/* ENODEV, ENXIO: whatever its exporter says to that. */
		error = errno == ENOMEM || errno == EACCES ? errno :
							     EOPNOTSUPP;
		close(buffer->fd);
		return error;
	}
	error = sync_with_exporter(buffer->fd, DMA_BUF_SYNC_START, access);
	if (error) {
		munmap(buffer->start, buffer->bytes);
		close(buffer->fd);
	}
	return error;
}

static void unmap(const struct arnica_dmabuf *buffer)
{
	(void)sync_with_exporter(buffer->fd, DMA_BUF_SYNC_END, buffer->access);
	munmap(buffer->start, buffer->bytes);
	close(buffer->fd);
}

struct ibv_mr *arnica_dmabuf_reg(struct ibv_pd *pd, uint64_t offset,
				 size_t length, uint64_t iova, int fd,
				 int access)
{
	struct arnica_dmabuf *buffer = NULL;
	struct arnica_mr *mr = NULL;
	int error = access & ~ACCESS ? EINVAL : arnica_mr_check_access(access);

	if (!error)
		error = check_kind(fd);
	if (!error)
		error = check_range(fd, offset, length, iova);
	if (!error) {
		buffer = calloc(1, sizeof(*buffer));
		error = buffer ? map(fd, offset + length, access, buffer) :
				 ENOMEM;
	}
	if (error)
		goto err_free;
	/* On demand: there may be no pages to bring in, but only the mapping. */
	mr = (struct arnica_mr *)(void *)arnica_mr_create(
		pd, (char *)buffer->start + offset, length, iova,
		access | (int)IBV_ACCESS_ON_DEMAND);
	if (!mr) {
		error = errno;
		unmap(buffer);
		goto err_free;
	}
	mr->verbs.access = access;
	mr->verbs.type = ARNICA_ABI_MR_DMABUF;
	mr->dmabuf = buffer;
	return &mr->verbs.mr;

err_free:
	free(buffer);
	errno = error;
	return NULL;
}

void arnica_dmabuf_end(struct arnica_mr *mr)
{
	if (!mr->dmabuf)
		return;
	unmap(mr->dmabuf);
	free(mr->dmabuf);
	mr->dmabuf = NULL;
}
