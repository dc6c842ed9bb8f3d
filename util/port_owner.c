/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "port_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm.h"

/* Finds a socket that is bound to the port, of one family. */
static bool find_socket(const char *table, uint16_t port, unsigned int *uid,
			unsigned long *inode)
{
	FILE *file = fopen(table, "re");
	unsigned int found;
	char line[256];
	bool is_found = false;

	while (file && !is_found && fgets(line, sizeof(line), file)) {
		if (sscanf(line,
			   " %*[0-9]: %*[0-9A-Fa-f]:%x %*s %*s %*s %*s %*s %u "
			   "%*u %lu",
			   &found, uid, inode) == 3)
			is_found = found == port;
	}
	if (file)
		fclose(file);
	return is_found;
}

static bool has_socket(const char *pid, unsigned long inode)
{
	char path[300], wanted[40];
	struct dirent *entry;
	bool found = false;
	char target[64];
	DIR *folder;

	snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	folder = opendir(path);
	while (folder && !found && (entry = readdir(folder))) {
		ssize_t bytes = readlinkat(dirfd(folder), entry->d_name, target,
					   sizeof(target) - 1);

		if (bytes < 0)
			continue;
		target[bytes] = 0;
		found = !strcmp(target, wanted);
	}
	if (folder)
		closedir(folder);
	return found;
}

static void read_name(const char *pid, char *name, size_t bytes)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	arnica_comm_read(path, name, bytes);
}

static void find_process(unsigned long inode, struct arnica_port_owner *owner)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;

	while (folder && !owner->pid && (entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !has_socket(entry->d_name, inode))
			continue;
		owner->pid = (pid_t)strtol(entry->d_name, NULL, 10);
		read_name(entry->d_name, owner->name, sizeof(owner->name));
	}
	if (folder)
		closedir(folder);
}

void arnica_port_owner_find(uint16_t port, struct arnica_port_owner *owner)
{
	unsigned long inode = 0;

	memset(owner, 0, sizeof(*owner));
	owner->found =
		find_socket("/proc/self/net/udp6", port, &owner->uid, &inode) ||
		find_socket("/proc/self/net/udp", port, &owner->uid, &inode);
	owner->is_kernel = owner->found && inode == 0;
	if (owner->found && inode)
		find_process(inode, owner);
}

void arnica_port_owner_describe(const struct arnica_port_owner *owner,
				char *text, size_t bytes)
{
	if (owner->pid)
		snprintf(text, bytes, "process %d (%s) of uid %u",
			 (int)owner->pid, owner->name, owner->uid);
	else if (owner->found)
		snprintf(text, bytes, "a process of uid %u", owner->uid);
	else
		snprintf(text, bytes, "somebody who cannot be seen from here");
}
