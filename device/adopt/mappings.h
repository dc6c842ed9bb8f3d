/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The mappings of this process, as the kernel knows them. One is found by its
 * address where the kernel can (PROCMAP_QUERY, Linux 6.11): a look costs about a
 * microsecond then, and else as much as all mappings below it do, which are some
 * hundred in a program with many libraries. Nothing here allocates memory.
 */
#ifndef ADEV_ADOPT_MAPPINGS_H
#define ADEV_ADOPT_MAPPINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <arnica/hw/format.h>

enum adev_vma_name {
	ADEV_VMA_ANONYMOUS, /* no name, or one that the program gave it */
	ADEV_VMA_HEAP,
	ADEV_VMA_RING,  /* io_uring or asynchronous I/O */
	ADEV_VMA_OTHER, /* a file, a stack, something special */
};

struct adev_vma {
	uint64_t start, end;
	uint64_t offset; /* in its file */
	uint64_t inode;  /* zero: none */
	int rights;      /* PROT_* */
	bool shared;
	bool guarded; /* directly above pages that nobody may touch */
	enum adev_vma_name name;
};

/* Called for each mapping, by ascending address, until it returns false. */
typedef bool adev_vma_fn(const struct adev_vma *vma, void *argument);

/* The mappings that touch [start, end). */
int adev_mappings_visit(uint64_t start, uint64_t end, adev_vma_fn *found,
			void *argument) ARNICA_MUST_CHECK;

/* Is there a ring of io_uring or asynchronous I/O? True when nobody can tell. */
bool adev_mappings_have_ring(void);

/* For tests: never ask by address. */
extern bool adev_mappings_read_only;

#endif
