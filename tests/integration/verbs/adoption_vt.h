/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A range of memory and a protection domain of a connected program, for tests of
 * what registering does to memory: with ARNICA_ADOPT=auto nothing happens to that
 * of a program that is alone.
 */
#ifndef ADOPTION_VT_H
#define ADOPTION_VT_H

#include <sys/mman.h>
#include <unistd.h>

#include "vt.h"

#define PAGE 4096u
#define BYTES (64u * PAGE)

static struct ibv_pd *pd;
static uint8_t *memory;

static inline void connect_somewhere(void)
{
	static struct vt_end a, b;
	struct vt_wish wish = vt_defaults();

	vt_pair_open(&a, &b, &wish, true);
	pd = a.pd;
}

static inline uint8_t *map_memory(size_t bytes, int flags)
{
	uint8_t *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1,
			       0);

	VT_CHECK(mapped != MAP_FAILED);
	return mapped;
}

static inline void open_memory(void)
{
	connect_somewhere();
	memory = map_memory(BYTES, MAP_PRIVATE | MAP_ANONYMOUS);
	memset(memory, 0x42, BYTES);
}

static inline struct ibv_mr *reg_part(void *start, size_t bytes)
{
	struct ibv_mr *mr = ibv_reg_mr(pd, start, bytes, VT_ALL_ACCESS);

	VT_CHECK(mr);
	return mr;
}

static inline struct ibv_mr *reg(void)
{
	return reg_part(memory, BYTES);
}

static inline void check_bytes(const uint8_t *start, size_t bytes,
			       uint8_t value)
{
	for (size_t i = 0; i < bytes; i++)
		VT_EQUAL(start[i], value);
}

static inline void check_all(uint8_t value)
{
	check_bytes(memory, BYTES, value);
}

/* The kind of mapping at an address: 's' or 'p'; zero: none. */
static inline char kind_at(const void *address)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char rights[8] = "", line[512], kind = 0;

	VT_CHECK(maps);
	while (!kind && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) == 3 &&
		    (uintptr_t)address >= start && (uintptr_t)address < end)
			kind = rights[3];
	fclose(maps);
	return kind;
}

#endif
