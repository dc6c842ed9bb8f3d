/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The file is mapped, and each table in it is looked up by a checked range; a
 * table that does not lie in the file reads as empty.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_scan.h"

/* The ELF header of this very program, put there by the linker: what the
 * libraries are built for. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct image {
	const unsigned char *bytes;
	size_t size;
};

/* `count` elements of `size` bytes at `offset`, or NULL. */
static const void *range(const struct image *image, uint64_t offset,
			 uint64_t count, uint64_t size)
{
	uint64_t length;

	if (__builtin_mul_overflow(count, size, &length) ||
	    offset > image->size || length > image->size - offset)
		return NULL;
	return image->bytes + offset;
}

struct segments {
	const ElfW(Phdr) * headers;
	size_t num_headers;
};

static const ElfW(Phdr) *
	find_segment(const struct segments *segments, uint32_t type)
{
	for (size_t i = 0; i < segments->num_headers; i++) {
		if (segments->headers[i].p_type == type)
			return &segments->headers[i];
	}
	return NULL;
}

/* File offset of a virtual address, or UINT64_MAX. */
static uint64_t file_offset(const struct segments *segments, uint64_t address)
{
	for (size_t i = 0; i < segments->num_headers; i++) {
		const ElfW(Phdr) *header = &segments->headers[i];

		if (header->p_type == PT_LOAD && address >= header->p_vaddr &&
		    address - header->p_vaddr < header->p_filesz)
			return address - header->p_vaddr + header->p_offset;
	}
	return UINT64_MAX;
}

struct dynamic {
	const ElfW(Dyn) * entries;
	size_t num_entries; /* up to DT_NULL */
	const char *strings;
	size_t string_bytes;
};

static uint64_t dynamic_value(const struct dynamic *dynamic, int64_t tag)
{
	for (size_t i = 0; i < dynamic->num_entries; i++) {
		if (dynamic->entries[i].d_tag == tag)
			return dynamic->entries[i].d_un.d_val;
	}
	return 0;
}

/* A string of the string table that ends in the table, or "". */
static const char *string_at(const struct dynamic *dynamic, uint64_t offset)
{
	if (offset >= dynamic->string_bytes ||
	    !memchr(dynamic->strings + offset, '\0',
		    dynamic->string_bytes - offset))
		return "";
	return dynamic->strings + offset;
}

static void load_dynamic(const struct image *image,
			 const struct segments *segments,
			 struct dynamic *dynamic)
{
	const ElfW(Phdr) *header = find_segment(segments, PT_DYNAMIC);
	size_t num_entries;

	memset(dynamic, 0, sizeof(*dynamic));
	if (!header)
		return;
	num_entries = header->p_filesz / sizeof(ElfW(Dyn));
	dynamic->entries = range(image, header->p_offset, num_entries,
				 sizeof(ElfW(Dyn)));
	if (!dynamic->entries || header->p_offset % sizeof(uint64_t))
		return;
	while (dynamic->num_entries < num_entries &&
	       dynamic->entries[dynamic->num_entries].d_tag != DT_NULL)
		dynamic->num_entries++;
	dynamic->string_bytes = dynamic_value(dynamic, DT_STRSZ);
	dynamic->strings = range(
		image, file_offset(segments, dynamic_value(dynamic, DT_STRTAB)),
		dynamic->string_bytes, 1);
	if (!dynamic->strings)
		dynamic->string_bytes = 0;
}

static void collect_runtimes(const struct dynamic *dynamic,
			     struct tool_runtimes *runtimes)
{
	for (size_t i = 0; i < dynamic->num_entries; i++) {
		const char *name;

		if (dynamic->entries[i].d_tag != DT_NEEDED)
			continue;
		name = string_at(dynamic, dynamic->entries[i].d_un.d_val);
		if (tool_is_sanitizer_runtime(name))
			tool_runtimes_add(runtimes, name);
	}
}

/* The dynamic linker itself may be the program: it has no interpreter, but
 * preloads all the same. */
static bool is_dynamic_linker(const struct dynamic *dynamic)
{
	uint64_t name = dynamic_value(dynamic, DT_SONAME);

	return name && !strncmp(string_at(dynamic, name), "ld", 2);
}

static void scan_native(const struct image *image, struct tool_elf *elf)
{
	const ElfW(Ehdr) *header = (const void *)image->bytes;
	struct segments segments = { NULL, 0 };
	struct dynamic dynamic;

	if (header->e_phentsize != sizeof(ElfW(Phdr)) ||
	    header->e_phoff % sizeof(uint64_t))
		return;
	segments.headers = range(image, header->e_phoff, header->e_phnum,
				 sizeof(ElfW(Phdr)));
	if (!segments.headers)
		return;
	segments.num_headers = header->e_phnum;
	load_dynamic(image, &segments, &dynamic);
	collect_runtimes(&dynamic, &elf->runtimes);
	elf->kind = find_segment(&segments, PT_INTERP) ||
				    is_dynamic_linker(&dynamic) ?
			    TOOL_PROGRAM_DYNAMIC :
			    TOOL_PROGRAM_STATIC;
}

static void scan_elf(const struct image *image, struct tool_elf *elf)
{
	const ElfW(Ehdr) *header = (const void *)image->bytes;

	if (image->size < sizeof(*header) ||
	    (header->e_type != ET_EXEC && header->e_type != ET_DYN))
		return;
	/* The machine stands at the same place in both classes. */
	if (header->e_ident[EI_CLASS] != __ehdr_start.e_ident[EI_CLASS] ||
	    header->e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA] ||
	    header->e_machine != __ehdr_start.e_machine)
		elf->kind = TOOL_PROGRAM_FOREIGN;
	else
		scan_native(image, elf);
}

static void scan_script(const struct image *image, struct tool_elf *elf)
{
	size_t length = image->size - 2;
	const char *line = (const char *)image->bytes + 2;

	if (length > sizeof(elf->script_line) - 1)
		length = sizeof(elf->script_line) - 1;
	memcpy(elf->script_line, line, length);
	elf->script_line[length] = '\0';
	elf->script_line[strcspn(elf->script_line, "\n")] = '\0';
	elf->kind = TOOL_PROGRAM_SCRIPT;
}

static int map_file(const char *path, struct image *image)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	void *bytes;
	int err = 0;

	if (fd < 0)
		return errno;
	if (fstat(fd, &st)) {
		err = errno;
	} else if (S_ISREG(st.st_mode) && st.st_size > 0) {
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
			     fd, 0);
		if (bytes == MAP_FAILED) {
			err = errno;
		} else {
			image->bytes = bytes;
			image->size = (size_t)st.st_size;
		}
	}
	close(fd);
	return err;
}

int tool_elf_scan(const char *path, struct tool_elf *elf)
{
	struct image image = { NULL, 0 };
	int err;

	memset(elf, 0, sizeof(*elf));
	elf->kind = TOOL_PROGRAM_OTHER;
	err = map_file(path, &image);
	if (err || !image.size)
		return err;
	if (image.size >= SELFMAG && !memcmp(image.bytes, ELFMAG, SELFMAG))
		scan_elf(&image, elf);
	else if (image.size >= 2 && !memcmp(image.bytes, "#!", 2))
		scan_script(&image, elf);
	munmap((void *)image.bytes, image.size);
	return 0;
}
