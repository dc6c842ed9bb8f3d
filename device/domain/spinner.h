/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Threads that poll in vain on the same processor. Each waits for the other until
 * the scheduler takes the processor away from it, for milliseconds; a program of
 * two processes on a machine with one free processor is like that. So who polls
 * in vain leaves its name at the processor, and lets go of it when it finds
 * another thread's: that one has spun there since, and waits. It lets go again and
 * again until the other has been there once more, or seems to be gone: first by
 * sched_yield(2), then by a sleep, for the scheduler need not follow.
 *
 * A word for each processor, in the directory of the host domain; of more than
 * ADEV_SPINNERS some share one, and do without help at times. They are hints: what
 * else stands there makes a poll take a moment longer.
 */
#ifndef ADEV_DOMAIN_SPINNER_H
#define ADEV_DOMAIN_SPINNER_H

#include <stdbool.h>

#include "domain/directory.h"

/*
 * The calling thread polls in vain, for a running function, with no lock held.
 * True: another thread had the same processor, and was let go ahead. On a
 * processor of its own a thread only asks which one it is, and what stands there.
 */
bool adev_spinner_step_aside(const struct adev_directory *directory,
			     uint32_t function);

#endif
