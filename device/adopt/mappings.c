/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Asking for mappings by address, or else reading /proc/self/maps. */
#include "adopt/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adopt/lines.h"

#define LARGEST_GUARD_BYTES (1u << 20)

/* As in linux/fs.h of 6.11 and later; the headers may be older. */
struct query {
	uint64_t size;
	uint64_t flags;
	uint64_t address;
	uint64_t vma_start, vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_bytes;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t device_major, device_minor;
	uint32_t name_bytes;
	uint32_t build_id_bytes;
	uint64_t name_address;
	uint64_t build_id_address;
};
_Static_assert(sizeof(struct query) == 104, "as the kernel has it");

#define QUERY 0xc0686611ul /* _IOWR('f', 17, struct query) */
#define QUERY_READABLE 0x01u
#define QUERY_WRITABLE 0x02u
#define QUERY_EXECUTABLE 0x04u
#define QUERY_SHARED 0x08u
#define QUERY_OR_NEXT 0x10u
#define QUERY_OF_FILE 0x20u

/* Long enough for every name that matters. */
#define NAME_BYTES 64u

bool adev_mappings_read_only;

static bool begins_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static enum adev_vma_name parse_name(const char *name)
{
	if (!*name || begins_with(name, "[anon:"))
		return ADEV_VMA_ANONYMOUS;
	if (!strcmp(name, "[heap]"))
		return ADEV_VMA_HEAP;
	if (begins_with(name, "/[aio]") ||
	    begins_with(name, "anon_inode:[io_uring]"))
		return ADEV_VMA_RING;
	return ADEV_VMA_OTHER;
}

/* What an allocator has reserved for later is much larger. */
static bool is_guard(const struct adev_vma *vma)
{
	return !vma->rights && vma->end - vma->start <= LARGEST_GUARD_BYTES;
}

static int open_maps(void)
{
	return open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
}

/* The mapping at an address, or with QUERY_OR_NEXT the next one of the kind that
 * `flags` says. ENOENT: none. ENOTTY: the kernel does not answer. */
static int ask(int fd, uint64_t address, uint64_t flags, struct adev_vma *vma)
{
	char name[NAME_BYTES] = "";
	struct query query = {
		.size = sizeof(query),
		.flags = flags,
		.address = address,
		.name_bytes = sizeof(name),
		.name_address = (uintptr_t)name,
	};
	long result = syscall(SYS_ioctl, fd, QUERY, &query);

	if (result == -1 && errno == ENAMETOOLONG) {
		query.name_bytes = 0;
		query.name_address = 0;
		strcpy(name, "/");
		result = syscall(SYS_ioctl, fd, QUERY, &query);
	}
	if (result == -1)
		return errno;
	*vma = (struct adev_vma){
		.start = query.vma_start,
		.end = query.vma_end,
		.offset = query.vma_offset,
		.inode = query.inode,
		.rights = (query.vma_flags & QUERY_READABLE ? PROT_READ : 0) |
			  (query.vma_flags & QUERY_WRITABLE ? PROT_WRITE : 0) |
			  (query.vma_flags & QUERY_EXECUTABLE ? PROT_EXEC : 0),
		.shared = query.vma_flags & QUERY_SHARED,
		.name = parse_name(name),
	};
	return 0;
}

/* Where there is a mapping directly below, its end is the other's start. */
static int ask_for_guard(int fd, struct adev_vma *vma)
{
	struct adev_vma below;
	int error = vma->start ? ask(fd, vma->start - 1, 0, &below) : ENOENT;

	vma->guarded = !error && is_guard(&below);
	return error == ENOENT ? 0 : error;
}

/* ENOTTY, EINVAL: the kernel does not answer, and nothing was found yet. */
static int visit_by_address(int fd, uint64_t start, uint64_t end,
			    adev_vma_fn *found, void *argument)
{
	uint64_t at;
	struct adev_vma vma;

	for (at = start; at < end; at = vma.end) {
		int error = ask(fd, at, QUERY_OR_NEXT, &vma);

		if (error == ENOENT || (!error && vma.start >= end))
			return 0;
		if (!error)
			error = ask_for_guard(fd, &vma);
		if (error)
			return error;
		if (!found(&vma, argument))
			return 0;
	}
	return 0;
}

/* "start-end rwxp offset major:minor inode    name" */
static bool parse_vma(const char *line, struct adev_vma *vma)
{
	vma->start = adev_text_number(&line, 16);
	if (*line++ != '-')
		return false;
	vma->end = adev_text_number(&line, 16);
	if (*line++ != ' ' || strlen(line) < 5)
		return false;
	vma->rights = (line[0] == 'r' ? PROT_READ : 0) |
		      (line[1] == 'w' ? PROT_WRITE : 0) |
		      (line[2] == 'x' ? PROT_EXEC : 0);
	vma->shared = line[3] == 's';
	adev_text_skip_word(&line);
	vma->offset = adev_text_number(&line, 16);
	adev_text_skip_blanks(&line);
	adev_text_skip_word(&line); /* device */
	vma->inode = adev_text_number(&line, 10);
	adev_text_skip_blanks(&line);
	vma->name = parse_name(line);
	return vma->end > vma->start;
}

static int visit_lines(struct adev_lines *lines, uint64_t start, uint64_t end,
		       adev_vma_fn *found, void *argument)
{
	struct adev_vma vma = { 0 };
	uint64_t guard_end = 0;
	int error = 0;
	char *line;

	while ((line = adev_lines_next(lines, &error))) {
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

static int visit_by_reading(uint64_t start, uint64_t end, adev_vma_fn *found,
			    void *argument)
{
	struct adev_lines lines;
	int error = adev_lines_open(&lines, "/proc/self/maps");

	if (error)
		return error;
	error = visit_lines(&lines, start, end, found, argument);
	close(lines.fd);
	return error;
}

static bool is_no_answer(int error)
{
	return error == ENOTTY || error == EINVAL || error == EPERM;
}

int adev_mappings_visit(uint64_t start, uint64_t end, adev_vma_fn *found,
			void *argument)
{
	int fd, error;

	if (adev_mappings_read_only)
		return visit_by_reading(start, end, found, argument);
	fd = open_maps();
	if (fd < 0)
		return errno;
	error = visit_by_address(fd, start, end, found, argument);
	close(fd);
	if (is_no_answer(error))
		return visit_by_reading(start, end, found, argument);
	return error;
}

static bool is_no_ring(const struct adev_vma *vma, void *argument)
{
	bool *found = argument;

	*found = vma->name == ADEV_VMA_RING;
	return !*found;
}

/* Rings are shared mappings of files, of which a process has few. */
static int find_ring(int fd, bool *found)
{
	struct adev_vma vma = { 0 };

	for (*found = false; !*found;) {
		int error = ask(fd, vma.end,
				QUERY_OR_NEXT | QUERY_SHARED | QUERY_OF_FILE,
				&vma);

		if (error)
			return error == ENOENT ? 0 : error;
		*found = vma.name == ADEV_VMA_RING;
	}
	return 0;
}

bool adev_mappings_have_ring(void)
{
	bool found = false;
	int fd = adev_mappings_read_only ? -1 : open_maps();
	int error = ENOTTY;

	if (fd >= 0) {
		error = find_ring(fd, &found);
		close(fd);
	}
	if (is_no_answer(error))
		error = visit_by_reading(0, UINT64_MAX, is_no_ring, &found);
	return found || error;
}
