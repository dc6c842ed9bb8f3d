/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* stat() and its variants, and the places where little is permitted. */
#include "probe.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int __xstat(int version, const char *path, struct stat *status);
int __xstat64(int version, const char *path, struct stat64 *status);
int __lxstat(int version, const char *path, struct stat *status);
int __lxstat64(int version, const char *path, struct stat64 *status);
int __fxstat(int version, int fd, struct stat *status);
int __fxstat64(int version, int fd, struct stat64 *status);
int __fxstatat(int version, int dir, const char *path, struct stat *status,
	       int flags);
int __fxstatat64(int version, int dir, const char *path, struct stat64 *status,
		 int flags);

#define STATUS(call, path_or_fd, ...)                                          \
	do {                                                                   \
		memset(&status, 0, sizeof(status));                            \
		report(#call, call(__VA_ARGS__));                              \
		printf("  %s mode %o links %ld size %ld\n", path_or_fd,        \
		       status.st_mode, (long)status.st_nlink,                  \
		       S_ISREG(status.st_mode) ? (long)status.st_size : 0);    \
	} while (0)

#if defined(__x86_64__)
#define STAT_VERSION 1
#else
#define STAT_VERSION 0
#endif

static void probe_status_64(int dir, int fd)
{
	struct stat64 status;

	STATUS(stat64, "file", "file", &status);
	STATUS(lstat64, "/dev/null", "/dev/null", &status);
	STATUS(fstat64, "fd", fd, &status);
	STATUS(fstatat64, "file", dir, "file", &status, 0);
	STATUS(__xstat64, "file", STAT_VERSION, "file", &status);
	STATUS(__lxstat64, "file", STAT_VERSION, "file", &status);
	STATUS(__fxstat64, "fd", STAT_VERSION, fd, &status);
	STATUS(__fxstatat64, "file", STAT_VERSION, dir, "file", &status, 0);
}

void probe_status(int dir)
{
	int fd = open("file", O_RDONLY);
	int memory = memfd_create("own", 0);
	struct statx extended;
	struct stat status;

	errno = QUIET_ERRNO;
	STATUS(stat, "file", "file", &status);
	STATUS(stat, "missing", "missing", &status);
	STATUS(stat, "bad", (const char *)1, &status);
	STATUS(lstat, "/proc/self", "/proc/self", &status);
	STATUS(fstat, "fd", fd, &status);
	STATUS(fstat, "-1", -1, &status);
	STATUS(fstat, "memfd", memory, &status);
	STATUS(fstatat, "file", dir, "file", &status, 0);
	STATUS(fstatat, "empty", fd, "", &status, AT_EMPTY_PATH);
	STATUS(fstatat, "empty", memory, "", &status, AT_EMPTY_PATH);
	STATUS(fstatat, "empty", fd, "", &status, 0);
	STATUS(__xstat, "file", STAT_VERSION, "file", &status);
	STATUS(__xstat, "missing", STAT_VERSION, "missing", &status);
	STATUS(__lxstat, "file", STAT_VERSION, "file", &status);
	STATUS(__fxstat, "fd", STAT_VERSION, fd, &status);
	STATUS(__fxstat, "version", 99, fd, &status);
	STATUS(__fxstatat, "file", STAT_VERSION, dir, "file", &status, 0);
	probe_status_64(dir, fd);
	report("statx", statx(dir, "file", 0, STATX_BASIC_STATS, &extended));
	printf("  %o %lld\n", extended.stx_mode, (long long)extended.stx_size);
	report("statx",
	       statx(memory, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &extended));
	printf("  %o %lld\n", extended.stx_mode, (long long)extended.stx_size);
	report("statx", statx(dir, "none", 0, STATX_BASIC_STATS, &extended));
	close(memory);
	close(fd);
	errno = QUIET_ERRNO;
}

static void probe_vfork(void)
{
	int status;
	pid_t child = vfork();

	if (!child) {
		struct stat unused;
		int fd = open("/dev/null", O_RDWR);

		_exit(fd < 0 || fstat(fd, &unused) || access("file", F_OK));
	}
	waitpid(child, &status, 0);
	report("vfork", status);
}

static void handle_signal(int number)
{
	struct stat unused;

	(void)number;
	if (stat("file", &unused) || !stat("missing", &unused))
		abort();
}

/* A stack of the least size that the system permits must do. */
static void probe_signal(void)
{
	const size_t bytes = (size_t)sysconf(_SC_MINSIGSTKSZ) + 1024;
	struct sigaction action;
	stack_t stack;

	memset(&stack, 0, sizeof(stack));
	stack.ss_sp = malloc(bytes);
	stack.ss_size = bytes;
	memset(&action, 0, sizeof(action));
	action.sa_handler = handle_signal;
	action.sa_flags = SA_ONSTACK;
	if (sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &action, NULL))
		abort();
	raise(SIGUSR1);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	free(stack.ss_sp);
	errno = QUIET_ERRNO;
	report("signal", 0);
}

static void *open_fifo(void *unused)
{
	(void)unused;
	open("fifo", O_RDONLY); /* waits for a writer that never comes */
	return NULL;
}

static void probe_cancellation(void)
{
	pthread_t thread;
	void *result;

	if (mkfifo("fifo", 0600) ||
	    pthread_create(&thread, NULL, open_fifo, NULL))
		abort();
	usleep(50000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	errno = QUIET_ERRNO;
	report("cancel", result == PTHREAD_CANCELED);
}

void probe_limits(void)
{
	probe_vfork();
	probe_signal();
	probe_cancellation();
}
