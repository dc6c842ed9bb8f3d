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
	struct tool_function process; /* what is the same for all of them */
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

/* What cannot be read is taken for our own. */
static bool has_other_network(const char *process)
{
	char path[64], own[64], its[64];
	ssize_t length = readlink("/proc/self/ns/net", own, sizeof(own));

	snprintf(path, sizeof(path), "/proc/%.20s/ns/net", process);
	return length > 0 && readlink(path, its, sizeof(its)) > 0 &&
	       memcmp(own, its, (size_t)length);
}

/* All but what differs from one function to the next. */
static void look_at_process(struct tool_function *process, const char *name)
{
	struct stat st;
	char path[64];

	process->pid = (pid_t)atoi(name);
	process->other_network = has_other_network(name);
	snprintf(path, sizeof(path), "/proc/%.20s", name);
	process->user = stat(path, &st) ? geteuid() : st.st_uid;
	snprintf(path, sizeof(path), "/proc/%.20s/comm", name);
	arnica_comm_read(path, process->command, sizeof(process->command));
}

static void look_at(struct scan *scan, int fd)
{
	struct arnica_hw_segment_header header;
	struct tool_function function = scan->process;
	struct stat st;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    arnica_from_le64(header.magic) != ARNICA_HW_SEGMENT_MAGIC ||
	    fstat(fd, &st) || already_seen(scan, st.st_ino))
		return;
	function.fd = fd;
	function.generation = arnica_from_le64(header.generation);
	function.used_bytes = (uint64_t)st.st_blocks * 512;
	function.running = arnica_load32(&header.state, memory_order_relaxed) ==
			   ARNICA_HW_SEGMENT_RUNNING;
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
	look_at_process(&scan->process, name);
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
		look_at(scan, fd);
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

bool tool_function_is_elsewhere(const struct tool_function *function)
{
	return function->other_network || function->user != geteuid();
}

void tool_function_print_place(const struct tool_function *function)
{
	if (function->user != geteuid())
		printf(", of user %u", (unsigned)function->user);
	if (function->other_network)
		printf(", in another network namespace");
}
