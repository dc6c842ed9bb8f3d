/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Reading /proc/self: maps, status, fd. */
#include "adopt/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif

#define BUFFER_BYTES 4096u
#define LARGEST_GUARD_BYTES (1u << 20)

/* A text file, line by line. */
struct lines {
	int fd;
	size_t have, used;
	char buffer[BUFFER_BYTES];
};

static int open_lines(struct lines *lines, const char *path)
{
	lines->have = 0;
	lines->used = 0;
	lines->fd = open(path, O_RDONLY | O_CLOEXEC);
	return lines->fd < 0 ? errno : 0;
}

static ssize_t read_some(struct lines *lines)
{
	ssize_t got;

	memmove(lines->buffer, lines->buffer + lines->used,
		lines->have - lines->used);
	lines->have -= lines->used;
	lines->used = 0;
	do {
		got = read(lines->fd, lines->buffer + lines->have,
			   sizeof(lines->buffer) - lines->have);
	} while (got < 0 && errno == EINTR);
	if (got > 0)
		lines->have += (size_t)got;
	return got;
}

/* The next line, terminated; NULL at the end. *error is set on failure. */
static char *next_line(struct lines *lines, int *error)
{
	for (;;) {
		char *start = lines->buffer + lines->used;
		char *end = memchr(start, '\n', lines->have - lines->used);
		ssize_t got;

		if (end) {
			*end = '\0';
			lines->used = (size_t)(end + 1 - lines->buffer);
			return start;
		}
		if (!lines->used && lines->have == sizeof(lines->buffer)) {
			*error = EPROTO;
			return NULL;
		}
		got = read_some(lines);
		if (got <= 0) {
			*error = got < 0 ? errno : 0;
			return NULL;
		}
	}
}

static uint64_t parse_number(const char **text, unsigned int base)
{
	uint64_t number = 0;

	for (;; (*text)++) {
		char c = **text;
		unsigned int digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned int)(c - '0');
		else if (base == 16 && c >= 'a' && c <= 'f')
			digit = (unsigned int)(c - 'a') + 10;
		else
			return number;
		number = number * base + digit;
	}
}

static void skip_blanks(const char **text)
{
	while (**text == ' ' || **text == '\t')
		(*text)++;
}

static void skip_word(const char **text)
{
	while (**text && **text != ' ')
		(*text)++;
	skip_blanks(text);
}

static enum adev_vma_name parse_name(const char *name)
{
	if (!*name || !strncmp(name, "[anon:", 6))
		return ADEV_VMA_ANONYMOUS;
	return strcmp(name, "[heap]") ? ADEV_VMA_OTHER : ADEV_VMA_HEAP;
}

/* "start-end rwxp offset major:minor inode    name" */
static bool parse_vma(const char *line, struct adev_vma *vma)
{
	vma->start = parse_number(&line, 16);
	if (*line++ != '-')
		return false;
	vma->end = parse_number(&line, 16);
	if (*line++ != ' ' || strlen(line) < 5)
		return false;
	vma->rights = (line[0] == 'r' ? PROT_READ : 0) |
		      (line[1] == 'w' ? PROT_WRITE : 0) |
		      (line[2] == 'x' ? PROT_EXEC : 0);
	vma->shared = line[3] == 's';
	skip_word(&line);
	vma->offset = parse_number(&line, 16);
	skip_blanks(&line);
	skip_word(&line); /* device */
	vma->inode = parse_number(&line, 10);
	skip_blanks(&line);
	vma->name = parse_name(line);
	return vma->end > vma->start;
}

/* What an allocator has reserved for later is much larger. */
static bool is_guard(const struct adev_vma *vma)
{
	return !vma->rights && vma->end - vma->start <= LARGEST_GUARD_BYTES;
}

static int visit(struct lines *lines, uint64_t start, uint64_t end,
		 adev_vma_fn *found, void *argument)
{
	struct adev_vma vma = { 0 };
	uint64_t guard_end = 0;
	int error = 0;
	char *line;

	while ((line = next_line(lines, &error))) {
		if (!parse_vma(line, &vma))
			return EPROTO;
		if (vma.start >= end)
			return 0;
		vma.guarded = guard_end && guard_end == vma.start;
		guard_end = is_guard(&vma) ? vma.end : 0;
		if (vma.end > start && !found(&vma, argument))
			return 0;
	}
	return error;
}

int adev_process_mappings(uint64_t start, uint64_t end, adev_vma_fn *found,
			  void *argument)
{
	struct lines lines;
	int error = open_lines(&lines, "/proc/self/maps");

	if (error)
		return error;
	error = visit(&lines, start, end, found, argument);
	close(lines.fd);
	return error;
}

/* The number behind "Name:"; false when the line is another. */
static bool number_of(const char *line, const char *name, uint64_t *number)
{
	size_t length = strlen(name);

	if (strncmp(line, name, length) != 0 || line[length] != ':')
		return false;
	line += length + 1;
	skip_blanks(&line);
	*number = parse_number(&line, 10);
	return true;
}

int adev_process_status(struct adev_process_status *status)
{
	struct lines lines;
	int found = 0, error = open_lines(&lines, "/proc/self/status");
	char *line;

	if (error)
		return error;
	while (found < 3 && (line = next_line(&lines, &error)))
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

/* A descriptor by what its link says. */
static enum adev_process_pins pins_of_path(int fd, const char *path)
{
	int flags;

	if (starts_with_one(path, transferring))
		return ADEV_PINS_LIKELY;
	if (starts_with(path, "/dev/") &&
	    !starts_with_one(path, plain_devices))
		return ADEV_PINS_UNKNOWN;
	/* Pipes have the flag too, with another meaning. */
	flags = *path == '/' ? fcntl(fd, F_GETFL) : 0;
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

static enum adev_process_pins pins_of_descriptor(int dir, const char *name)
{
	const char *digits = name;
	char path[64];
	long length;
	int fd = (int)parse_number(&digits, 10);

	if (*digits || digits == name)
		return ADEV_PINS_NONE; /* "." and ".." */
	/* Not by libc's name: the stand-in answers for its own files there. */
	length = syscall(SYS_readlinkat, dir, name, path, sizeof(path) - 1);
	if (length < 0)
		return ADEV_PINS_NONE; /* closed meanwhile */
	path[length] = '\0';
	return starts_with(path, "socket:") ? pins_of_socket(fd) :
					      pins_of_path(fd, path);
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
	char buffer[BUFFER_BYTES] __attribute__((aligned(8)));
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

/* Rings whose descriptors are closed, or were never any, show as mappings. */
static bool has_ring_mapping(void)
{
	struct lines lines;
	bool found = false;
	int error = 0;
	char *line;

	if (open_lines(&lines, "/proc/self/maps"))
		return true;
	while (!found && (line = next_line(&lines, &error)))
		found = strstr(line, "/[aio]") ||
			strstr(line, "anon_inode:[io_uring]");
	close(lines.fd);
	return found || error;
}

enum adev_process_pins adev_process_pins(void)
{
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum adev_process_pins pins;

	if (dir < 0)
		return ADEV_PINS_LIKELY;
	pins = pins_of_descriptors(dir);
	close(dir);
	if (pins != ADEV_PINS_LIKELY && has_ring_mapping())
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
	*number = parse_number(&digits, 10);
	return digits != text;
}

static void room_of_group(const char *group, uint64_t *room)
{
	char path[512];
	uint64_t limit, used;

	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", group);
	if (!read_number(path, &limit))
		return;
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.current", group);
	if (!read_number(path, &used))
		used = limit;
	limit -= used < limit ? used : limit;
	if (limit < *room)
		*room = limit;
}

/* This group, and those that it is in. */
static void room_of_groups(char *group, uint64_t *room)
{
	for (;;) {
		char *slash = strrchr(group, '/');

		room_of_group(group, room);
		if (!slash)
			return;
		*slash = '\0';
	}
}

uint64_t adev_process_room(void)
{
	struct lines lines;
	uint64_t kib = 0, room;
	int error = 0;
	char *line;

	if (open_lines(&lines, "/proc/meminfo"))
		return 0;
	while ((line = next_line(&lines, &error)) &&
	       !number_of(line, "MemAvailable", &kib))
		;
	close(lines.fd);
	room = kib << 10;
	if (open_lines(&lines, "/proc/self/cgroup"))
		return room;
	while ((line = next_line(&lines, &error)))
		if (starts_with(line, "0::/"))
			room_of_groups(line + 3, &room);
	close(lines.fd);
	return room;
}
