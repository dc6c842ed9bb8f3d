/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Moves the contents of a range of the application between private pages and
 * pages of a file, in place: the addresses stay, no store is lost, and whatever
 * step fails, the contents are where they were.
 *
 *      private:   range [private pages]
 *                   |  adev_move_out(): the mapping itself is set aside with
 *                   v  its pages; they go to the file piece by piece
 *      shared:    range [file]           parked [the private mapping, empty]
 *                   |  adev_move_back(): the contents go to the parked mapping,
 *                   v  which then takes its old place
 *      private:   range [private pages]
 *
 * The parked mapping keeps everything that the application ever asked for on
 * these pages (advice, policy, keys), and one page is never there twice, so a
 * process at its memory limit stays below it. A forked child gets the parked
 * mapping and not the range; see adopt/fork.c.
 *
 * With a trap other threads may use the range all the time. Without one the
 * caller answers for it that nobody does.
 */
#ifndef ADEV_ADOPT_MOVE_H
#define ADEV_ADOPT_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include <arnica/hw/format.h>

#include "domain/fd_mark.h"

struct adev_move {
	uint64_t start;  /* of the range; whole pages, one mapping */
	uint64_t bytes;
	uint64_t parked; /* where the private mapping is while it is shared */
	uint64_t offset; /* of the contents in the file */
	int fd;
	struct adev_fd_mark file; /* that has that descriptor */
};

/* Is the descriptor still that of the file? A program that closes what it has
 * not opened may have given its number to a file of its own. */
bool adev_move_has_file(const struct adev_move *move) ARNICA_MUST_CHECK;

/* Private to shared; sets `parked`. The range is readable and writable, and the
 * file has nothing there. EPERM: no trap can be set; EBADF: there is no file.
 * Others: limits. */
int adev_move_out(struct adev_move *move, bool trapped) ARNICA_MUST_CHECK;

/* Shared to private, with the rights that the range has now. The file has
 * nothing there when it succeeded, and nothing is parked: any thread may have
 * mapped something else in that place by then. */
int adev_move_back(const struct adev_move *move, int rights,
		   bool trapped) ARNICA_MUST_CHECK;

/* Copies the contents to the parked mapping, for the child of a fork. ENOMEM:
 * only part of them. EBADF: none. */
int adev_move_snapshot(const struct adev_move *move) ARNICA_MUST_CHECK;

/* In the child: the snapshot takes the place of the range, as far as the
 * application lets children have it. */
void adev_move_child(const struct adev_move *move, int rights);

/* The same where nobody could tell what the range was at the fork: whatever the
 * child has mapped there stays. */
void adev_move_child_unseen(const struct adev_move *move);

/* In the parent: the snapshot has served. */
void adev_move_forget_snapshot(const struct adev_move *move);

#endif
