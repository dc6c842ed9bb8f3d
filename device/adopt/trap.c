/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Traps by userfaultfd. Nobody reads the events: the waiting is all we want. */
#include "adopt/trap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From Linux 5.14 on; the headers may be older than the kernel. */
#define REGISTER_MINOR ((uint64_t)1 << 2)
#define FEATURE_MINOR_SHMEM ((uint64_t)1 << 10)
/* From 6.1 on: _IO(0xAA, 0x00) of /dev/userfaultfd. */
#define DEVICE_NEW 0xaa00ul

bool adev_trap_never;

/* libc's ioctl() is the stand-in's too, who looks for its own requests. */
static int control(int fd, unsigned long request, void *argument)
{
	return syscall(SYS_ioctl, fd, request, argument) == -1 ? errno : 0;
}

static int open_device(void)
{
	int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	long fd;

	if (device < 0)
		return -1;
	fd = syscall(SYS_ioctl, device, DEVICE_NEW, (long)O_CLOEXEC);
	close(device);
	return (int)fd;
}

static int open_full(int *fd)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = FEATURE_MINOR_SHMEM };
	int error;

	*fd = (int)syscall(SYS_userfaultfd, (long)O_CLOEXEC);
	if (*fd < 0 && errno != EMFILE && errno != ENFILE)
		*fd = open_device();
	if (*fd < 0)
		return errno == EMFILE || errno == ENFILE ? errno : EPERM;
	error = control(*fd, UFFDIO_API, &api);
	if (!error)
		return 0;
	close(*fd);
	return error == EINVAL ? ENOSYS : error;
}

/* What was found out. Privileges that are given up later are found missing by
 * adev_trap_set(), and no range is moved. */
enum possible { UNKNOWN, POSSIBLE, IMPOSSIBLE };
static _Atomic int possible = UNKNOWN;

/* For want of descriptors nobody knows. */
static int open_noted(int *fd)
{
	int error = open_full(fd);

	if (!error || error == EPERM || error == ENOSYS)
		atomic_store_explicit(&possible, error ? IMPOSSIBLE : POSSIBLE,
				      memory_order_relaxed);
	return error;
}

int adev_trap_set(struct adev_trap *trap, enum adev_trap_kind kind,
		  uint64_t start, uint64_t bytes)
{
	struct uffdio_register range = {
		.range = { .start = start, .len = bytes },
		.mode = kind == ADEV_TRAP_MISSING ?
				UFFDIO_REGISTER_MODE_MISSING :
				UFFDIO_REGISTER_MODE_MISSING | REGISTER_MINOR,
	};
	int error = open_noted(&trap->fd);

	if (error)
		goto err_none;
	trap->start = start;
	trap->bytes = bytes;
	error = control(trap->fd, UFFDIO_REGISTER, &range);
	if (!error)
		return 0;
	close(trap->fd);
err_none:
	trap->fd = -1;
	return error;
}

void adev_trap_release(struct adev_trap *trap)
{
	struct uffdio_range range = { .start = trap->start,
				      .len = trap->bytes };

	if (trap->fd < 0)
		return;
	/* What is mapped there now may not be what was registered; then there
	 * is nothing to unregister, only somebody to wake. */
	(void)control(trap->fd, UFFDIO_UNREGISTER, &range);
	(void)control(trap->fd, UFFDIO_WAKE, &range);
	close(trap->fd);
	trap->fd = -1;
}

bool adev_trap_possible(void)
{
	int known = atomic_load_explicit(&possible, memory_order_relaxed);
	int fd;

	if (adev_trap_never)
		return false;
	if (known != UNKNOWN)
		return known == POSSIBLE;
	if (open_noted(&fd))
		return false;
	close(fd);
	return true;
}
