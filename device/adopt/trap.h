/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Holds up whoever touches a range while its pages are elsewhere: userfaultfd.
 * Only the full kind will do, which holds up system calls too; the one that
 * every user has (user mode only) makes them fail with EFAULT.
 */
#ifndef ADEV_ADOPT_TRAP_H
#define ADEV_ADOPT_TRAP_H

#include <stdbool.h>
#include <stdint.h>

#include <arnica/hw/format.h>

struct adev_trap {
	int fd; /* -1: none */
	uint64_t start, bytes;
};

enum adev_trap_kind {
	ADEV_TRAP_MISSING, /* private pages: who finds none waits */
	ADEV_TRAP_UNMAPPED, /* shared pages: who has not mapped them waits */
};

/* EPERM, ENOSYS: there is no full userfaultfd here, or it lacks what is needed;
 * EBUSY: the program has one of its own on the range. */
int adev_trap_set(struct adev_trap *trap, enum adev_trap_kind kind,
		  uint64_t start, uint64_t bytes) ARNICA_MUST_CHECK;

/* Lets everybody go on, with what is mapped there now. */
void adev_trap_release(struct adev_trap *trap);

/* Can both kinds be set, as far as one can know without a range? It is tried
 * once; that it was possible and is no more shows when one is set. */
bool adev_trap_possible(void);

/* For tests: as if there were no full userfaultfd. */
extern bool adev_trap_never;

#endif
