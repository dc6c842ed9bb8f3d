/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Reading /proc/self: status and fd. */
#include "adopt/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adopt/lines.h"
#include "adopt/mappings.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif

/* The number behind "Name:"; false when the line is another. */
static bool number_of(const char *line, const char *name, uint64_t *number)
{
	size_t length = strlen(name);

	if (strncmp(line, name, length) != 0 || line[length] != ':')
		return false;
	line += length + 1;
	adev_text_skip_blanks(&line);
	*number = adev_text_number(&line, 10);
	return true;
}

int adev_process_status(struct adev_process_status *status)
{
	struct adev_lines lines;
	int found = 0, error = adev_lines_open(&lines, "/proc/self/status");
	char *line;

	if (error)
		return error;
	while (found < 3 && (line = adev_lines_next(&lines, &error)))
		found += number_of(line, "Threads", &status->threads) +
			 number_of(line, "VmLck", &status->locked_kib) +
			 number_of(line, "VmPin", &status->pinned_kib);
	close(lines.fd);
	if (error)
		return error;
	return found == 3 ? 0 : EPROTO;
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool starts_with_one(const char *text, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (starts_with(text, *prefixes))
			return true;
	return false;
}

/* Those that pin what they transfer to. */
static const char *const transferring[] = {
	"anon_inode:[io_uring]", "anon_inode:[vfio", "/dev/vfio", "/dev/iommu",
	NULL,
};

/* Devices that transfer nothing by themselves. */
static const char *const plain_devices[] = {
	"/dev/null",	"/dev/zero",	    "/dev/full",  "/dev/random",
	"/dev/urandom", "/dev/tty",	    "/dev/pts/",  "/dev/ptmx",
	"/dev/console", "/dev/hvc",	    "/dev/kmsg",  "/dev/shm/",
	"/dev/net/",	"/dev/userfaultfd", NULL,
};

/* Transfers past the page cache. Pipes have the flag too, with another meaning,
 * so this is for files only. */
static enum adev_process_pins pins_of_file(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags > 0 && flags & O_DIRECT ? ADEV_PINS_IN_CALLS :
					       ADEV_PINS_NONE;
}

static enum adev_process_pins pins_of_socket(int fd)
{
	int domain = 0;
	socklen_t length = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length))
		return ADEV_PINS_NONE;
	return domain == AF_XDP ? ADEV_PINS_LIKELY : ADEV_PINS_NONE;
}

/* A device, or something that is no file at all, by what its link says. */
static enum adev_process_pins pins_of_link(int dir, const char *name, int fd)
{
	char path[64];
	/* Not by libc's name: the stand-in answers for its own files there. */
	long length = syscall(SYS_readlinkat, dir, name, path,
			      sizeof(path) - 1);

	if (length < 0)
		return ADEV_PINS_NONE; /* closed meanwhile */
	path[length] = '\0';
	if (starts_with_one(path, transferring))
		return ADEV_PINS_LIKELY;
	if (starts_with(path, "/dev/") &&
	    !starts_with_one(path, plain_devices))
		return ADEV_PINS_UNKNOWN;
	return *path == '/' ? pins_of_file(fd) : ADEV_PINS_NONE;
}

/* A program may have hundreds: the kind first, the text of a link is dear. */
static enum adev_process_pins pins_of_descriptor(int dir, const char *name)
{
	const char *digits = name;
	struct stat status;
	int fd = (int)adev_text_number(&digits, 10);

	if (*digits || digits == name)
		return ADEV_PINS_NONE; /* "." and ".." */
	/* Not by libc's name, as above. */
	if (fd == dir || syscall(SYS_fstat, fd, &status))
		return ADEV_PINS_NONE;
	switch (status.st_mode & S_IFMT) {
	case S_IFIFO:
	case S_IFDIR:
		return ADEV_PINS_NONE;
	case S_IFSOCK:
		return pins_of_socket(fd);
	case S_IFREG:
		return pins_of_file(fd);
	default:
		return pins_of_link(dir, name, fd);
	}
}

/* As the kernel writes it; no header of libc has it. */
struct folder_entry {
	uint64_t inode;
	int64_t offset;
	unsigned short bytes;
	unsigned char type;
	char name[];
};

static enum adev_process_pins pins_of_descriptors(int dir)
{
	char buffer[ADEV_LINES_BYTES] __attribute__((aligned(8)));
	enum adev_process_pins worst = ADEV_PINS_NONE, pins;
	long got, at;

	while ((got = syscall(SYS_getdents64, dir, buffer, sizeof(buffer))) > 0)
		for (at = 0; at < got;) {
			struct folder_entry *entry = (void *)(buffer + at);

			pins = pins_of_descriptor(dir, entry->name);
			worst = pins > worst ? pins : worst;
			at += entry->bytes;
		}
	return got < 0 ? ADEV_PINS_LIKELY : worst;
}

enum adev_process_pins adev_process_pins(void)
{
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum adev_process_pins pins;

	if (dir < 0)
		return ADEV_PINS_LIKELY;
	pins = pins_of_descriptors(dir);
	close(dir);
	/* Rings whose descriptors are closed, or were never any. */
	if (pins != ADEV_PINS_LIKELY && adev_mappings_have_ring())
		return ADEV_PINS_LIKELY;
	return pins;
}

/* The number that a file begins with; false for "max", and without a file. */
static bool read_number(const char *path, uint64_t *number)
{
	char text[32];
	const char *digits = text;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (got <= 0)
		return false;
	text[got] = '\0';
	*number = adev_text_number(&digits, 10);
	return digits != text;
}

const char *adev_process_groups = "/sys/fs/cgroup";

/* Where a control group says how much memory it may have, and has. */
struct groups {
	const char *folder, *limit, *used;
};

static const struct groups unified = {
	.folder = "",
	.limit = "memory.max",
	.used = "memory.current",
};
static const struct groups version_1 = {
	.folder = "/memory",
	.limit = "memory.limit_in_bytes",
	.used = "memory.usage_in_bytes",
};

static void room_of_group(const struct groups *groups, const char *group,
			  uint64_t *room)
{
	char path[512];
	uint64_t limit, used;

	snprintf(path, sizeof(path), "%s%s%s/%s", adev_process_groups,
		 groups->folder, group, groups->limit);
	if (!read_number(path, &limit))
		return;
	snprintf(path, sizeof(path), "%s%s%s/%s", adev_process_groups,
		 groups->folder, group, groups->used);
	if (!read_number(path, &used))
		used = limit;
	limit -= used < limit ? used : limit;
	if (limit < *room)
		*room = limit;
}

/* This group, and those that it is in. In a container their names may be those
 * outside of it: then the first that is there is the container's. */
static void room_of_groups(const struct groups *groups, char *group,
			   uint64_t *room)
{
	for (;;) {
		char *slash = strrchr(group, '/');

		room_of_group(groups, group, room);
		if (!slash)
			return;
		*slash = '\0';
	}
}

/* "number:controllers:/group"; version 2 has the number zero and no names. */
static void room_of_line(char *line, uint64_t *room)
{
	char *names = strchr(line, ':');
	char *group = names ? strchr(names + 1, ':') : NULL;
	char *name, *rest;

	if (!group)
		return;
	*names++ = '\0';
	*group++ = '\0';
	if (!*names && !strcmp(line, "0"))
		room_of_groups(&unified, group, room);
	for (name = strtok_r(names, ",", &rest); name;
	     name = strtok_r(NULL, ",", &rest))
		if (!strcmp(name, "memory"))
			room_of_groups(&version_1, group, room);
}

uint64_t adev_process_room(void)
{
	struct adev_lines lines;
	uint64_t kib = 0, room;
	int error = 0;
	char *line;

	if (adev_lines_open(&lines, "/proc/meminfo"))
		return 0;
	while ((line = adev_lines_next(&lines, &error)) &&
	       !number_of(line, "MemAvailable", &kib))
		;
	close(lines.fd);
	room = kib << 10;
	if (adev_lines_open(&lines, "/proc/self/cgroup"))
		return room;
	while ((line = adev_lines_next(&lines, &error)))
		room_of_line(line, &room);
	close(lines.fd);
	return room;
}
