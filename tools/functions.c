/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arnica/hw/segment.h"

#include "comm.h"
#include "functions.h"

#define MAX_IN_PROCESS 64 /* more of one process are not told apart */

struct scan {
	void (*found)(const struct tool_function *function, void *argument);
	void *argument;
	size_t num_seen; /* of the process that is being looked at */
	ino_t seen[MAX_IN_PROCESS];
};

static bool is_number(const char *name)
{
	return isdigit((unsigned char)*name);
}

/* A process may hold a segment by several descriptors. */
static bool already_seen(struct scan *scan, ino_t inode)
{
	for (size_t i = 0; i < scan->num_seen; i++) {
		if (scan->seen[i] == inode)
			return true;
	}
	if (scan->num_seen < MAX_IN_PROCESS)
		scan->seen[scan->num_seen++] = inode;
	return false;
}

static void read_command(struct tool_function *function)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", function->pid);
	arnica_comm_read(path, function->command, sizeof(function->command));
}

static void look_at(struct scan *scan, pid_t pid, int fd)
{
	struct arnica_hw_segment_header header;
	struct tool_function function = { .pid = pid, .fd = fd };
	struct stat st;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    arnica_from_le64(header.magic) != ARNICA_HW_SEGMENT_MAGIC ||
	    fstat(fd, &st) || already_seen(scan, st.st_ino))
		return;
	function.generation = arnica_from_le64(header.generation);
	function.used_bytes = (uint64_t)st.st_blocks * 512;
	function.running = arnica_load32(&header.state, memory_order_relaxed) ==
			   ARNICA_HW_SEGMENT_RUNNING;
	read_command(&function);
	scan->found(&function, scan->argument);
}

static void scan_process(struct scan *scan, const char *name)
{
	char path[64];
	char target[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", name);
	dir = opendir(path);
	if (!dir)
		return;
	scan->num_seen = 0;
	while ((entry = readdir(dir))) {
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, target,
					    sizeof(target));
		int fd;

		/* Opening anything but a memfd could have effects. */
		if (length < 7 || memcmp(target, "/memfd:", 7))
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		look_at(scan, (pid_t)atoi(name), fd);
		close(fd);
	}
	closedir(dir);
}

void tool_functions_scan(void (*found)(const struct tool_function *function,
				       void *argument),
			 void *argument)
{
	struct scan scan = { .found = found, .argument = argument };
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return;
	while ((entry = readdir(proc))) {
		if (is_number(entry->d_name))
			scan_process(&scan, entry->d_name);
	}
	closedir(proc);
}
