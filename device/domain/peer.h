/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Another function of the domain, as this process reaches it: its segment
 * mapped here, its agent's wake pipe, and a pidfd that tells its end.
 *
 * The directory only says where to look. Nothing is taken on trust: the files
 * behind /proc/PID/fd must be the inodes that the directory names, the segment
 * must be a sealed memfd, and its header must name the function we mean.
 */
#ifndef ADEV_DOMAIN_PEER_H
#define ADEV_DOMAIN_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arnica/hw/format.h"

#include "domain/fd_mark.h"

struct adev_directory;

struct adev_peer {
	uint32_t function;
	uint64_t generation;
	pid_t pid;
	void *base; /* this process's only mapping of the segment */
	uint64_t size;
	int wake_fd; /* for adev_wake_signal() */
	/* poll() tells when the function may have ended, or the process has
	 * closed what it had open; -1: nothing does. */
	int end_fd;
	struct adev_fd_mark wake_file, end_file;
	bool own_process; /* the function is this process's own; no end_fd */
};

/*
 * ENOENT: gone, or not there yet; EACCES, EPERM: of a process that does not let
 * us in (another pid namespace, not dumpable); EPROTO: not a segment that this
 * version understands; ENOMEM, EMFILE.
 */
int adev_peer_attach(struct adev_directory *directory, uint32_t function,
		     uint64_t generation,
		     struct adev_peer *peer) ARNICA_MUST_CHECK;

void adev_peer_detach(struct adev_peer *peer);

/* Its descriptor tells nothing any more: the life word alone does. */
void adev_peer_forget_end(struct adev_peer *peer);

#endif
