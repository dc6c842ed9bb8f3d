/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Pipes that carry records to the application: the read end is its own and
 * blocks, the write end is the adapter's and never does. Records are far
 * shorter than PIPE_BUF, so each is written whole or not at all.
 */
#ifndef ADEV_COMP_PIPE_H
#define ADEV_COMP_PIPE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arnica/hw/format.h>

/* EMFILE, ENFILE. The write end has a high number. */
int adev_pipe_create(int *read_fd, int *write_fd) ARNICA_MUST_CHECK;

/* One more read end of the pipe, blocking and close-on-exec. */
int adev_pipe_join(int write_fd, int *read_fd) ARNICA_MUST_CHECK;

/* Nobody can read any more what would be written. */
bool adev_pipe_abandoned(int write_fd);

/*
 * 0; EAGAIN: there is no room now; EPIPE: nobody reads. Never raises SIGPIPE:
 * the application's threads write, and it may have set a handler.
 */
int adev_pipe_write(int write_fd, const void *record,
		    size_t bytes) ARNICA_MUST_CHECK;

/*
 * Takes out of a pipe the records of `record_bytes` bytes that start with the
 * word `user_data`; the others stay in order. The application may read at the
 * same time, other writers may not write. Returns how many were taken;
 * ADEV_PURGE_UNKNOWN, and takes none, where /proc is missing.
 */
#define ADEV_PURGE_UNKNOWN UINT32_MAX

uint32_t adev_pipe_purge(int write_fd, size_t record_bytes, uint64_t user_data);

#endif
