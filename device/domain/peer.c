/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arnica/hw/segment.h"
#include "domain/mapping.h"
#include "domain/proc.h"
#include "domain/segment.h"
#include "domain/slot.h"
#include "domain/wake.h"

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

/* What /proc says about a process that is ending, in one word. */
static int gone_is_enoent(int error)
{
	return error == ESRCH || error == ENXIO || error == ENOTDIR ? ENOENT :
								      error;
}

static bool is_own_process(const struct adev_slot_view *view)
{
	return view->pid == getpid() &&
	       view->pid_namespace == adev_proc_namespace("pid");
}

/* The folder of the process's descriptors: from here on we deal with this
 * process or with none, even if its number is used again. */
static int open_descriptors(const struct adev_slot_view *view, int *dir_fd)
{
	char path[32];
	int fd;

	if (is_own_process(view))
		strcpy(path, "/proc/self/fd");
	else if (view->pid_namespace == adev_proc_namespace("pid") &&
		 adev_proc_is_ours())
		snprintf(path, sizeof(path), "/proc/%d/fd", (int)view->pid);
	else
		return EACCES;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return gone_is_enoent(errno);
	if (adev_slot_check_process(view) != 0) {
		close(fd);
		return ENOENT;
	}
	*dir_fd = fd;
	return 0;
}

static int check_file(int fd, uint64_t inode, uint64_t *size)
{
	struct stat status;
	int seals = fcntl(fd, F_GET_SEALS);

	if (fstat(fd, &status) != 0)
		return errno;
	if (status.st_ino != inode)
		return ENOENT;
	/* Without the seals its owner could cut it off under our feet. */
	if (seals < 0 || (seals & SIZE_SEALS) != SIZE_SEALS)
		return EPROTO;
	*size = (uint64_t)status.st_size;
	if (*size < ARNICA_HW_BAR_END || *size > ADEV_SEGMENT_LARGEST_BYTES ||
	    (*size & (*size - 1)))
		return EPROTO;
	return 0;
}

static int check_header(int fd, const struct adev_peer *peer)
{
	struct arnica_hw_segment_header header;

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return EPROTO;
	if (arnica_from_le64(header.magic) != ARNICA_HW_SEGMENT_MAGIC ||
	    arnica_from_le32(header.version) != ARNICA_HW_VERSION)
		return EPROTO;
	if (arnica_load32(&header.state, memory_order_relaxed) !=
		    ARNICA_HW_SEGMENT_RUNNING ||
	    arnica_from_le64(header.generation) != peer->generation)
		return ENOENT;
	if (arnica_from_le32(header.function) != peer->function ||
	    arnica_from_le64(header.size_bytes) != peer->size)
		return EPROTO;
	return 0;
}

static int open_segment(int dir_fd, const struct adev_slot_view *view, int *fd)
{
	char name[16];
	struct stat status;
	int opened;

	snprintf(name, sizeof(name), "%d", view->segment_fd);
	/* Looked at before it is opened: opening a device can have effects. */
	if (fstatat(dir_fd, name, &status, 0) != 0)
		return gone_is_enoent(errno);
	if (!S_ISREG(status.st_mode) || status.st_ino != view->segment_inode)
		return ENOENT;
	opened = openat(dir_fd, name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (opened < 0)
		return gone_is_enoent(errno);
	*fd = opened;
	return 0;
}

static int map_segment(int dir_fd, const struct adev_slot_view *view,
		       struct adev_peer *peer)
{
	int error;
	int fd = -1;

	error = open_segment(dir_fd, view, &fd);
	if (error)
		return error;
	error = check_file(fd, view->segment_inode, &peer->size);
	if (!error)
		error = check_header(fd, peer);
	if (!error)
		error = adev_mapping_get(fd, peer->size, &peer->base);
	close(fd);
	return error;
}

/* The beacon; or a pidfd, which knows nothing of exec. A peer without either (an
 * old kernel, a filter) is watched by its life word alone. */
static int open_end(const struct adev_slot_view *view, int dir_fd)
{
	int fd;

	if (view->beacon_inode &&
	    !adev_beacon_open(dir_fd, view->beacon_fd, view->beacon_inode, &fd))
		return fd;
	fd = (int)syscall(SYS_pidfd_open, view->pid, 0);
	return fd < 0 ? -1 : adev_fd_high(fd);
}

static int attach(const struct adev_slot_view *view, int dir_fd,
		  struct adev_peer *peer)
{
	int error = map_segment(dir_fd, view, peer);

	if (error)
		return error;
	error = adev_wake_open(dir_fd, view->wake_fd, view->wake_inode,
			       &peer->wake_fd);
	if (error) {
		adev_mapping_put(peer->base, peer->size);
		return gone_is_enoent(error);
	}
	peer->end_fd = peer->own_process ? -1 : open_end(view, dir_fd);
	if (adev_fd_mark(peer->wake_fd, &peer->wake_file) ||
	    (peer->end_fd >= 0 &&
	     adev_fd_mark(peer->end_fd, &peer->end_file))) {
		adev_peer_detach(peer);
		return EBADF;
	}
	return 0;
}

int adev_peer_attach(struct adev_directory *directory, uint32_t function,
		     uint64_t generation, struct adev_peer *peer)
{
	struct adev_slot_view view;
	int dir_fd = -1;
	int error;

	error = adev_slot_read(directory, function, generation, &view);
	if (error)
		return error;
	error = open_descriptors(&view, &dir_fd);
	if (error)
		return error;
	*peer = (struct adev_peer){ .function = function,
				    .generation = generation,
				    .pid = view.pid,
				    .own_process = is_own_process(&view) };
	error = attach(&view, dir_fd, peer);
	close(dir_fd);
	if (error)
		return error;
	/* Only now is it certain that a pidfd is of this process. */
	if (!adev_directory_alive(directory, function, generation)) {
		adev_peer_detach(peer);
		return ENOENT;
	}
	return 0;
}

void adev_peer_detach(struct adev_peer *peer)
{
	adev_mapping_put(peer->base, peer->size);
	adev_fd_close(&peer->wake_fd, &peer->wake_file);
	adev_peer_forget_end(peer);
	peer->base = NULL;
}

void adev_peer_forget_end(struct adev_peer *peer)
{
	adev_fd_close(&peer->end_fd, &peer->end_file);
}
