/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The wake pipe of an agent: one byte is one knock, and a full pipe is as good
 * as one more knock. A pipe, because peers can open it through /proc/PID/fd.
 *
 * No knock raises SIGPIPE: every writing end is opened for reading as well, so
 * the pipe has a reader as long as somebody can write.
 */
#ifndef ADEV_DOMAIN_WAKE_H
#define ADEV_DOMAIN_WAKE_H

#include <stdint.h>

#include "arnica/hw/format.h"

/* Both ends non-blocking, close-on-exec, with high numbers. EMFILE, ENFILE. */
int adev_wake_create(int *read_fd, int *write_fd) ARNICA_MUST_CHECK;

/* Knocks; never blocks, never raises a signal. */
void adev_wake_signal(int fd);

/*
 * For knocks by threads of the same process: an eventfd. A write to a pipe tells
 * the kernel that the writer is about to sleep, and may hand its processor to
 * whom it wakes, in the middle of a post; this does not, and costs less.
 */
int adev_wake_create_own(int *fd) ARNICA_MUST_CHECK;
void adev_wake_signal_own(int fd);

/* Takes all knocks that are there, of either kind. */
void adev_wake_drain(int fd);

/* Opens the pipe that the process whose /proc/PID/fd is dir_fd has as its
 * descriptor `number`, if it is the pipe of that inode; ENOENT if it is not. */
int adev_wake_open(int dir_fd, int number, uint64_t inode,
		   int *fd) ARNICA_MUST_CHECK;

/*
 * A beacon: a pipe that nobody writes to, and of which the process keeps the end
 * for writing. Who opens it for reading (fd of adev_beacon_open()) sees it hang
 * up when the process ends or executes another program, and at no cost before.
 */
int adev_beacon_create(int *fd) ARNICA_MUST_CHECK;
int adev_beacon_open(int dir_fd, int number, uint64_t inode,
		     int *fd) ARNICA_MUST_CHECK;

/* Moves a descriptor out of the range that applications expect for their own.
 * Takes fd; returns the new number, or fd itself when there is no room. Sets
 * close-on-exec. */
int adev_fd_high(int fd);

#endif
