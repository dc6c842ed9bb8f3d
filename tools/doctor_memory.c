/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory: what the adapter's segments are made of, and what limits them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <arnica/hw/limits.h>

#include "doctor.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#define MIB ((uint64_t)1 << 20)
#define SEGMENT_BYTES (4096 * MIB)
#define SMALLEST_BYTES (64 * MIB) /* that a device opens with */

static uint64_t soft_limit(int resource)
{
	struct rlimit limit;

	return getrlimit(resource, &limit) || limit.rlim_cur == RLIM_INFINITY ?
		       UINT64_MAX :
		       limit.rlim_cur;
}

/* As a segment is: large, sparse, with some memory really there. One that the
 * limit of file sizes cuts is smaller. */
static int try_memfd(void)
{
	const uint64_t limit = soft_limit(RLIMIT_FSIZE);
	const off_t size = limit < SEGMENT_BYTES && limit >= SMALLEST_BYTES ?
				   (off_t)limit :
				   (off_t)SEGMENT_BYTES;
	const size_t used = 4 * MIB;
	int fd = (int)syscall(SYS_memfd_create, "doctor",
			      MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *bytes;
	int err = 0;

	if (fd < 0)
		return errno;
	if (ftruncate(fd, size) || fallocate(fd, 0, 0, (off_t)used) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		err = errno;
	bytes = err ? MAP_FAILED :
		      mmap(NULL, used, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
	if (!err && bytes == MAP_FAILED)
		err = errno;
	if (!err) {
		memset(bytes, 0x5a, used);
		munmap(bytes, used);
	}
	close(fd);
	return err;
}

void doctor_check_memfd(struct doctor_finding *finding)
{
	int err = try_memfd();

	if (!err) {
		doctor_report(
			finding, DOCTOR_OK,
			"sparse, sealed and filled: the adapter's memory can be had");
		return;
	}
	doctor_report(finding, DOCTOR_FAIL,
		      "%s: the adapter's memory cannot be had", strerror(err));
	doctor_advise(finding,
		      err == EFBIG ? "ulimit -f unlimited" :
		      err == ENOMEM || err == ENOSPC ?
				     "raise the memory limit" :
				     "permit memfd_create and fallocate");
}

static bool open_userfaultfd(int flags)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | flags);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool open_userfaultfd_device(void)
{
	int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	int fd = -1;

	if (device < 0)
		return false;
#ifdef USERFAULTFD_IOC_NEW
	fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC);
	if (fd >= 0)
		close(fd);
#endif
	close(device);
	return fd >= 0;
}

/* What is asked for is a setting, which doctor_list_settings() shows. */
void doctor_check_userfaultfd(struct doctor_finding *finding)
{
	const long page = sysconf(_SC_PAGESIZE);

	if (page != (long)ARNICA_HW_PAGE_BYTES)
		doctor_report(
			finding, DOCTOR_OK,
			"not needed: pages have %ld KiB here, and registered memory is adopted only where they have 4",
			page / 1024);
	else if (open_userfaultfd(0) || open_userfaultfd_device())
		doctor_report(
			finding, DOCTOR_OK,
			"full: registered memory of every program can be adopted");
	else
		doctor_report(
			finding, DOCTOR_OK,
			"%s: only programs with one thread can have their memory adopted",
			open_userfaultfd(UFFD_USER_MODE_ONLY) ?
				"for user mode only" :
				"refused");
}

void doctor_check_shm(struct doctor_finding *finding)
{
	struct statvfs vfs;
	uint64_t size;
	uint64_t available;

	if (statvfs("/dev/shm", &vfs)) {
		doctor_report(finding, DOCTOR_WARN,
			      "/dev/shm: %s; the domain folder goes elsewhere",
			      strerror(errno));
		return;
	}
	size = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	available = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	doctor_report(
		finding, available < 4 * MIB ? DOCTOR_WARN : DOCTOR_OK,
		"/dev/shm has %" PRIu64 " of %" PRIu64
		" MiB free; only the directory of the domain lies there, a few MiB",
		available / MIB, size / MIB);
	if (available < 4 * MIB)
		doctor_advise(
			finding,
			"free some, or set ARNICA_RUNTIME_DIR to another folder");
}

/* The first number of a file; false for "max" and missing files. */
static bool read_number(const char *path, uint64_t *number)
{
	FILE *file = fopen(path, "re");
	bool found = file && fscanf(file, "%" SCNu64, number) == 1;

	if (file)
		fclose(file);
	return found;
}

/* The path of this process below the memory controller's mount point. */
static void find_cgroup(char *path, size_t bytes, bool *unified)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[512];

	*path = '\0';
	*unified = true;
	while (file && fgets(line, sizeof(line), file)) {
		char *controllers = strchr(line, ':');
		char *name = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!name)
			continue;
		name[strcspn(name, "\n")] = '\0';
		*name++ = '\0';
		if (strstr(controllers, "memory"))
			*unified = false;
		else if (strcmp(controllers, ":"))
			continue;
		snprintf(path, bytes, "%s", name);
		if (!*unified)
			break;
	}
	if (file)
		fclose(file);
}

/* The lowest limit from this cgroup upwards, and what is used of it. */
static bool lowest_limit(uint64_t *limit, uint64_t *used)
{
	bool unified;
	bool found = false;
	char group[256];
	char path[512];
	const char *base;

	find_cgroup(group, sizeof(group), &unified);
	base = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
	for (;;) {
		uint64_t value;
		char *slash;

		snprintf(path, sizeof(path), "%s%s/%s", base, group,
			 unified ? "memory.max" : "memory.limit_in_bytes");
		/* Version 1 says "none" with a number of this order. */
		if (read_number(path, &value) && value < UINT64_MAX / 4 &&
		    (!found || value < *limit)) {
			found = true;
			*limit = value;
			snprintf(path, sizeof(path), "%s%s/%s", base, group,
				 unified ? "memory.current" :
					   "memory.usage_in_bytes");
			if (!read_number(path, used))
				*used = 0;
		}
		slash = strrchr(group, '/');
		if (!slash)
			return found;
		*slash = '\0';
	}
}

void doctor_check_cgroup(struct doctor_finding *finding)
{
	uint64_t limit = 0;
	uint64_t used = 0;
	bool low;

	if (!lowest_limit(&limit, &used)) {
		doctor_report(finding, DOCTOR_OK, "no limit");
		return;
	}
	low = limit < used + 256 * MIB;
	doctor_report(
		finding, low ? DOCTOR_WARN : DOCTOR_OK,
		"%" PRIu64 " of %" PRIu64
		" MiB used; the adapter's memory counts, a few MiB for each open device and more with its queues",
		used / MIB, limit / MIB);
	if (low)
		doctor_advise(finding, "raise the limit");
}

void doctor_check_limits(struct doctor_finding *finding)
{
	uint64_t space = soft_limit(RLIMIT_AS);
	uint64_t files = soft_limit(RLIMIT_NOFILE);
	uint64_t file_size = soft_limit(RLIMIT_FSIZE);

	if (space != UINT64_MAX) {
		doctor_report(
			finding, DOCTOR_WARN,
			"address space limited to %" PRIu64
			" MiB: open devices get smaller segments, for fewer objects",
			space / MIB);
		doctor_advise(finding, "ulimit -v unlimited");
	} else if (file_size != UINT64_MAX) {
		doctor_report(
			finding, DOCTOR_WARN,
			"file size limited to %" PRIu64
			" MiB: open devices get smaller segments, for fewer objects",
			file_size / MIB);
		doctor_advise(finding, "ulimit -f unlimited");
	} else if (files < 256) {
		doctor_report(
			finding, DOCTOR_WARN,
			"%" PRIu64
			" open files: too few for many completion channels and peers",
			files);
		doctor_advise(finding, "ulimit -n 1024");
	} else {
		doctor_report(finding, DOCTOR_OK,
			      "address space and file size unlimited, %" PRIu64
			      " open files",
			      files);
	}
}

void doctor_check_memlock(struct doctor_finding *finding)
{
	uint64_t limit = soft_limit(RLIMIT_MEMLOCK);

	if (limit == UINT64_MAX)
		doctor_report(finding, DOCTOR_OK, "unlimited");
	else
		doctor_report(
			finding, DOCTOR_OK,
			"%" PRIu64
			" KiB; enough, because registered memory is not pinned",
			limit / 1024);
}
