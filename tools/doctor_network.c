/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The network side: UDP port 4791 of RoCE v2, and RDMA in the kernel.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor.h"

#define ROCE_PORT 4791

static int try_bind(void)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
					.sin6_port = htons(ROCE_PORT) };
	struct sockaddr_in address4 = { .sin_family = AF_INET,
					.sin_port = htons(ROCE_PORT) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd >= 0) {
		err = bind(fd, (void *)&address, sizeof(address)) ? errno : 0;
		close(fd);
		if (err == EADDRINUSE)
			return err;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	err = bind(fd, (void *)&address4, sizeof(address4)) ? errno : 0;
	close(fd);
	return err;
}

/* Inode of a socket on the port; zero: one of the kernel's own. */
static bool find_socket(const char *table, unsigned long *inode)
{
	FILE *file = fopen(table, "re");
	char line[512];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		unsigned port;

		found = sscanf(line,
			       " %*d: %*[0-9A-Fa-f]:%x %*s %*s %*s %*s %*s %*s %*s %lu",
			       &port, inode) == 2 &&
			port == ROCE_PORT;
	}
	if (file)
		fclose(file);
	return found;
}

static bool process_holds(const char *pid, unsigned long inode)
{
	char path[64];
	char wanted[64];
	char target[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, target,
					    sizeof(target));

		found = length == (ssize_t)strlen(wanted) &&
			!memcmp(target, wanted, (size_t)length);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Who holds a socket, as far as this user can see. */
static void name_holder(unsigned long inode, char *name, size_t bytes)
{
	struct dirent *entry;
	DIR *proc;

	if (!inode) {
		snprintf(name, bytes, "the kernel (rdma_rxe)");
		return;
	}
	snprintf(name, bytes, "a process of another user");
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc))) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    process_holds(entry->d_name, inode)) {
			snprintf(name, bytes, "process %.20s", entry->d_name);
			break;
		}
	}
	if (proc)
		closedir(proc);
}

void doctor_check_port(struct doctor_finding *finding)
{
	int err = try_bind();
	unsigned long inode = 0;
	char holder[64] = "an unknown socket";

	if (!err) {
		doctor_report(
			finding, DOCTOR_OK,
			"UDP port free; not used by this version, which connects processes of one machine");
		return;
	}
	if (find_socket("/proc/net/udp", &inode) ||
	    find_socket("/proc/net/udp6", &inode))
		name_holder(inode, holder, sizeof(holder));
	doctor_report(
		finding, DOCTOR_OK,
		"UDP port taken by %s (%s); not used by this version, which connects processes of one machine",
		holder, strerror(err));
}

static unsigned count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned count = 0;

	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

void doctor_check_kernel_rdma(struct doctor_finding *finding)
{
	unsigned num_devices = count_entries("/sys/class/infiniband");

	if (num_devices)
		doctor_report(
			finding, DOCTOR_OK,
			"%u device(s) of the kernel; programs under arnica see the emulated one only",
			num_devices);
	else if (!access("/sys/module/ib_core", F_OK))
		doctor_report(
			finding, DOCTOR_OK,
			"ib_core is loaded, without a device; nothing is needed of it");
	else
		doctor_report(finding, DOCTOR_OK, "none; none is needed");
}
