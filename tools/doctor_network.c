/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The network side: UDP port 4791 of RoCE v2, and RDMA in the kernel.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor.h"
#include "port_owner.h"

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

/* Only a process of this user can be one that shares the port. */
static void report_owner(const struct arnica_port_owner *owner,
			 struct doctor_finding *finding)
{
	char text[80];

	if (owner->is_kernel) {
		doctor_report(finding, DOCTOR_WARN,
			      "UDP port is the kernel's (rdma_rxe); other "
			      "hosts cannot be reached");
		doctor_advise(finding, "remove its devices with 'rdma link "
				       "delete', or use them");
		return;
	}
	arnica_port_owner_describe(owner, text, sizeof(text));
	if (owner->pid && owner->uid == getuid()) {
		doctor_report(finding, DOCTOR_OK,
			      "UDP port in use by %s; shared, if that runs "
			      "under arnica",
			      text);
		return;
	}
	doctor_report(finding, DOCTOR_WARN,
		      "UDP port taken by %s; other hosts cannot be reached",
		      text);
	doctor_advise(finding, "end it, or run both as one user with one "
			       "ARNICA_RUNTIME_DIR");
}

void doctor_check_port(struct doctor_finding *finding)
{
	struct arnica_port_owner owner;
	int err = try_bind();

	if (!err) {
		doctor_report(finding, DOCTOR_OK, "UDP port free");
		return;
	}
	if (err != EADDRINUSE) {
		doctor_report(finding, DOCTOR_WARN,
			      "UDP port cannot be had (%s); other hosts cannot "
			      "be reached",
			      strerror(err));
		return;
	}
	arnica_port_owner_find(ROCE_PORT, &owner);
	report_owner(&owner, finding);
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
