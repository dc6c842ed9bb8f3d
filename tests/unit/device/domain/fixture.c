/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arnica/hw/segment.h"
#include "domain/proc.h"
#include "domain/segment.h"
#include "domain/wake.h"

static char folder[64];

int fixture_setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/arnica-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	return setenv("ARNICA_RUNTIME_DIR", folder, 1);
}

static int remove_one(const char *path, const struct stat *status, int type,
		      struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

int fixture_teardown(void **state)
{
	(void)state;
	unsetenv("ARNICA_RUNTIME_DIR");
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int fixture_device_file(void)
{
	const struct arnica_hw_segment_header header = {
		.magic = arnica_to_le64(ARNICA_HW_SEGMENT_MAGIC),
		.version = arnica_to_le32(ARNICA_HW_VERSION),
		.state = { ARNICA_SWAP_LE(32, ARNICA_HW_SEGMENT_OPENED) },
	};
	int fd = memfd_create("device", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (ftruncate(fd, 4096) != 0 ||
			pwrite(fd, &header, sizeof(header), 0) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

bool fixture_enter(struct fixture_function *made)
{
	struct arnica_hw_segment_header *header;

	memset(made, 0, sizeof(*made));
	made->generation = adev_proc_random();
	made->device_fd = fixture_device_file();
	if (made->device_fd < 0 || adev_directory_open(&made->directory) != 0 ||
	    adev_wake_create(&made->wake_read_fd, &made->wake_write_fd) != 0 ||
	    adev_beacon_create(&made->beacon_fd) != 0 ||
	    adev_segment_reserve(made->device_fd, 64u << 20, &made->base,
				 &made->size) != 0 ||
	    adev_segment_populate(made->device_fd, 0, 1u << 20) != 0 ||
	    adev_directory_enter(made->directory, made->device_fd,
				 made->generation, made->wake_write_fd,
				 made->beacon_fd, &made->function) != 0 ||
	    adev_directory_lease(made->directory, made->function, 7,
				 &made->block) != 0)
		return false;
	header = made->base;
	header->function = arnica_to_le32(made->function);
	header->generation = arnica_to_le64(made->generation);
	header->size_bytes = arnica_to_le64(made->size);
	arnica_store32(&header->state, ARNICA_HW_SEGMENT_RUNNING,
		       memory_order_release);
	return true;
}

void fixture_leave(struct fixture_function *made)
{
	adev_directory_leave(made->directory, made->function);
	adev_segment_release(made->base, made->size);
	close(made->wake_read_fd);
	close(made->wake_write_fd);
	close(made->beacon_fd);
	close(made->device_fd);
	adev_directory_put(made->directory);
}

struct child {
	enum fixture_end end;
	int report_fd;
	sem_t reported;
};

static void *run_agent(void *opaque)
{
	struct child *child = opaque;
	struct fixture_function function;

	if (!fixture_enter(&function))
		_exit(1);
	if (child->end == FIXTURE_LEAVE)
		adev_directory_leave(function.directory, function.function);
	if (write(child->report_fd, &function, sizeof(function)) < 0)
		_exit(1);
	sem_post(&child->reported);
	/* Directly: ThreadSanitizer's _exit() sleeps for a second first. */
	if (child->end == FIXTURE_EXIT)
		syscall(SYS_exit_group, 0);
	while (child->end != FIXTURE_THREAD_END)
		pause();
	return NULL;
}

static void run_child(enum fixture_end end, int report_fd)
{
	struct child child = { .end = end, .report_fd = report_fd };
	const struct timespec moment = { .tv_nsec = 50000000 };
	pthread_t agent;

	sem_init(&child.reported, 0, 0);
	if (pthread_create(&agent, NULL, run_agent, &child) != 0)
		_exit(1);
	if (end == FIXTURE_EXEC) {
		while (sem_wait(&child.reported) != 0)
			;
		nanosleep(&moment, NULL);
		execlp("sleep", "sleep", "60", (char *)NULL);
		_exit(1);
	}
	for (;;)
		pause();
}

pid_t fixture_spawn(struct fixture_function *remote, enum fixture_end end)
{
	int report[2];
	pid_t pid;
	ssize_t got;

	if (pipe2(report, O_CLOEXEC) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(report[0]);
		run_child(end, report[1]);
	}
	close(report[1]);
	got = read(report[0], remote, sizeof(*remote));
	close(report[0]);
	/* Its directory pointer is another process's. */
	if (got != (ssize_t)sizeof(*remote) ||
	    adev_directory_open(&remote->directory) != 0)
		return -1;
	return pid;
}

void fixture_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

bool fixture_wait_life(struct fixture_function *remote, enum adev_life life)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	int i;

	for (i = 0; i < FIXTURE_PATIENCE_MS; i++) {
		if (adev_directory_life(remote->directory, remote->function,
					remote->generation) == life)
			return true;
		nanosleep(&moment, NULL);
	}
	return false;
}
