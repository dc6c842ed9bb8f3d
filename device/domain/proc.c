/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int read_file(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	int error;

	if (fd < 0)
		return errno;
	got = read(fd, text, bytes - 1);
	error = errno;
	close(fd);
	if (got < 0)
		return error;
	text[got] = '\0';
	return 0;
}

static _Atomic uint64_t boot;
static _Atomic uint32_t boot_prefix;
static _Atomic bool boot_is_known;

bool adev_proc_is_exhausted(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

int adev_proc_learn_boot(void)
{
	char id[64] = "";
	int error;

	if (atomic_load_explicit(&boot_is_known, memory_order_acquire))
		return 0;
	error = read_file("/proc/sys/kernel/random/boot_id", id, sizeof(id));
	if (adev_proc_is_exhausted(error))
		return error;
	if (!error) {
		/* Threads that come here together store the same. */
		atomic_store(&boot, adev_proc_hash(0, id, strcspn(id, "\n")));
		atomic_store(&boot_prefix, (uint32_t)strtoul(id, NULL, 16));
	}
	atomic_store_explicit(&boot_is_known, true, memory_order_release);
	return 0;
}

uint64_t adev_proc_boot(void)
{
	return adev_proc_learn_boot() ? 0 : atomic_load(&boot);
}

uint32_t adev_proc_boot_prefix(void)
{
	return adev_proc_learn_boot() ? 0 : atomic_load(&boot_prefix);
}

uint64_t adev_proc_namespace(const char *name)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return stat(path, &status) == 0 ? (uint64_t)status.st_ino : 0;
}

bool adev_proc_is_ours(void)
{
	char text[16] = "";

	return readlink("/proc/self", text, sizeof(text) - 1) > 0 &&
	       strtol(text, NULL, 10) == getpid();
}

/* Field 22 of stat; the name in field 2 may hold anything, so the count starts
 * behind its last parenthesis. */
static int parse_start_time(const char *text, uint64_t *ticks)
{
	const char *at = strrchr(text, ')');
	unsigned int field;

	if (!at || at[1] != ' ')
		return ENOTSUP;
	at += 2;
	for (field = 3; field < 22; field++) {
		at = strchr(at, ' ');
		if (!at)
			return ENOTSUP;
		at++;
	}
	*ticks = strtoull(at, NULL, 10);
	return 0;
}

/* Asked after /proc showed no such thread. With hidepid, /proc conceals living
 * processes; kill() in turn takes a zombie for alive. */
static bool surely_gone(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (access(path, R_OK) == 0)
		return true;
	return kill(pid, 0) != 0 && errno == ESRCH;
}

int adev_proc_start_time(pid_t pid, pid_t tid, uint64_t *ticks)
{
	char path[64];
	char text[1024];
	int error;

	if (!adev_proc_is_ours())
		return ENOTSUP;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid,
		 (int)tid);
	error = read_file(path, text, sizeof(text));
	if (!error)
		return parse_start_time(text, ticks);
	return (error == ENOENT || error == ESRCH) && surely_gone(pid) ?
		       ESRCH :
		       ENOTSUP;
}

bool adev_proc_is_runnable(pid_t tid)
{
	char path[64];
	char text[1024];
	const char *name_end;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	if (!adev_proc_is_ours() || read_file(path, text, sizeof(text)))
		return false;
	name_end = strrchr(text, ')');
	return name_end && strncmp(name_end, ") R ", 4) == 0;
}

/* The kernel's number for the clock of a thread (its posix-timers.h): that of a
 * pthread_t must not be asked for once the thread may have ended. */
#define CLOCK_OF_THREAD(tid) (~(clockid_t)(tid) * 8 + 6)

uint64_t adev_proc_thread_ns(pid_t tid)
{
	struct timespec time;

	if (tid <= 0 || clock_gettime(CLOCK_OF_THREAD(tid), &time))
		return 0;
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t soft_limit(int resource)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) != 0 ||
	    limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

uint64_t adev_proc_file_limit(void)
{
	return soft_limit(RLIMIT_FSIZE);
}

uint64_t adev_proc_space_limit(void)
{
	return soft_limit(RLIMIT_AS);
}

uint64_t adev_proc_random(void)
{
	static _Atomic uint64_t fallback;
	uint64_t value;
	struct timespec now;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) ==
	    (ssize_t)sizeof(value))
		return value;
	/* Early in the boot of a machine, or a filter that refuses the call. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	value = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^
		(uint64_t)getpid() << 48;
	value += atomic_fetch_add_explicit(&fallback, 1, memory_order_relaxed);
	return adev_proc_hash(value, &now, sizeof(now));
}

uint64_t adev_proc_hash(uint64_t seed, const void *data, size_t bytes)
{
	const unsigned char *at = data;
	uint64_t hash = seed ^ 0xcbf29ce484222325ull;

	while (bytes--)
		hash = (hash ^ *at++) * 0x100000001b3ull;
	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}
