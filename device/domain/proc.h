/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Facts about the machine, this process and others, as /proc tells them. Where
 * /proc is missing or lacks a file, each fact has a fixed value instead, the
 * same for all processes there.
 */
#ifndef ADEV_DOMAIN_PROC_H
#define ADEV_DOMAIN_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arnica/hw/format.h"

/* The machine's boot id, read once; the two functions below cannot fail after
 * this. EMFILE, ENFILE, ENOMEM. */
int adev_proc_learn_boot(void) ARNICA_MUST_CHECK;

/* Hash of the boot id; zero when the kernel has none. */
uint64_t adev_proc_boot(void);

/* First 32 bits of the boot id itself, as people see it in file names. */
uint32_t adev_proc_boot_prefix(void);

/* Is it for want of descriptors or memory that something failed? */
bool adev_proc_is_exhausted(int error);

/* Inode of a namespace of this process ("net", "pid"), zero if not known. */
uint64_t adev_proc_namespace(const char *name);

/* Whether /proc counts processes as we do. It does not where a pid namespace
 * was made without a /proc of its own: numbers mean other processes there. */
bool adev_proc_is_ours(void);

/* Start of a thread in clock ticks since boot. ESRCH: there is no such thread;
 * ENOTSUP: /proc cannot tell. */
int adev_proc_start_time(pid_t pid, pid_t tid,
			 uint64_t *ticks) ARNICA_MUST_CHECK;

/* Does a thread of this process run, or wait for a processor? False when /proc
 * cannot tell, and when there is no such thread. */
bool adev_proc_is_runnable(pid_t tid);

/* The processor's time that a thread of this process has had, in nanoseconds;
 * zero: there is no such thread. */
uint64_t adev_proc_thread_ns(pid_t tid);

/* Largest file that may be written without SIGXFSZ; how much the process may
 * map. UINT64_MAX: there is no limit. */
uint64_t adev_proc_file_limit(void);
uint64_t adev_proc_space_limit(void);

/* Unpredictable bits, never fails. */
uint64_t adev_proc_random(void);

/* A 64-bit hash (FNV-1a, then mixed) of bytes, chained by seed. */
uint64_t adev_proc_hash(uint64_t seed, const void *data, size_t bytes);

#endif
